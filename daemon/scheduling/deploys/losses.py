"""What stays behind where a schedule is retired, and what looks like one that was only renamed."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Row

from ...definitions.schedule import Schedule
from ...store import statements
from ...store.called import called
from ...text import counted, number, when

MOST_SAID = 20


def losses(
    connection: Connection, application: str, retired: Collection[Row[Any]], added: Mapping[str, Schedule]
) -> tuple[str, ...]:
    """Return a sentence for each schedule that is retired with something at stake, and for each of those that are
    ``added``, by name, that looks like one of them.
    """
    if not retired:
        return ()
    unfinished = statements.renames.unfinished(connection, application, [row.name for row in retired])
    found = [sentence for row in retired for sentence in _of_one(row, unfinished.get(row.name, {}), added)]
    if len(found) > MOST_SAID:
        found[MOST_SAID:] = [f"and {number(len(found) - MOST_SAID)} more such schedules"]
    return tuple(found)


def _of_one(row: Row[Any], unfinished: Mapping[str, int], added: Mapping[str, Schedule]) -> Iterator[str]:
    waiting, running = unfinished.get("pending", 0), unfinished.get("running", 0)
    at_stake = [
        f"{counted(waiting, 'run')} that {_verb(waiting, 'waits', 'wait')} (cancelled when no replica with its definition is left)"
        if waiting
        else "",
        f"{counted(running, 'run')} running (these finish)" if running else "",
        f"a pause ({row.paused_by}, {when(row.paused_at)})" if row.paused_at is not None else "",
    ]
    if said := [part for part in at_stake if part]:
        *first, last = said
        things = f"{', '.join(first)} and {last}" if first else last
        yield f'"{called(row)}" is no longer defined; it has {things}'
    for name, schedule in added.items():
        if schedule.keyed(row.name).run_digest() == row.run_digest:
            yield (
                f'"{name}" looks like "{called(row)}" renamed, but is a new schedule: it starts without history, '
                f'pause and idempotency keys, and can run at the same time; add was = "{called(row)}" to take '
                f"them over"
            )


def _verb(count: int, one: str, more: str) -> str:
    return one if count == 1 else more
