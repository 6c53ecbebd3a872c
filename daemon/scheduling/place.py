"""The places of runs that were requested for a moment, or by a backfill: behind the unfinished runs of their schedules
(rule 23).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from ..definitions.codec import UnreadableDefinition, read_schedule
from ..definitions.schedule import Overlap, Schedule
from ..store import statements
from .plan import waits_for_predecessor
from .write_plan import replace_older

MOST_PLACED = 1_000
"""The most runs that one transaction places."""


@dataclass(frozen=True, slots=True)
class PlaceReport:
    """What became of runs whose moment had come."""

    placed: int = 0
    more: bool = False
    """There are more to place at once."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """The schedules of which none was placed, and why."""


def place_due(
    connection: Connection, application: str, known: Mapping[str, Schedule], others: Collection[str] | None = None
) -> PlaceReport:
    """Place the runs of known schedules whose moment has come; those of locked schedules stay for later.

    With ``others``, the known ones are all that the application has but for these.
    """
    passed_over: set[str] = set()
    unreadable: dict[str, str] = {}
    while True:
        which = {"names": known.keys() - passed_over} if others is None else {"but": passed_over.union(others)}
        due = statements.requests.due(connection, application, MOST_PLACED, **which)
        found = {row.schedule for row in due}
        overlaps, refused = _lock(connection, application, known, found)
        unreadable |= refused
        if overlaps or len(due) < MOST_PLACED:
            break
        passed_over |= found  # many of schedules that are locked or unreadable hide nobody behind them
    runs = [(row.id, row.schedule) for row in due if row.schedule in overlaps]
    placed = place(connection, application, runs, overlaps) if runs else 0
    return PlaceReport(placed, len(due) == MOST_PLACED and placed > 0, unreadable)


def feed_due(
    connection: Connection, application: str, known: Mapping[str, Schedule], others: Collection[str] | None = None
) -> PlaceReport:
    """Place the next runs of backfills of known schedules whose turn it is: of each schedule at most those of one
    backfill, and none while another run of the schedule is not over; those of locked schedules stay for later.

    With ``others``, the known ones are all that the application has but for these.
    """
    which = {"names": list(known)} if others is None else {"but": others}
    found = {row.schedule for row in statements.requests.to_feed(connection, application, **which)}
    overlaps, unreadable = _lock(connection, application, known, found)
    first: dict[str, Row[Any]] = {}
    again = statements.requests.to_feed(connection, application, names=overlaps) if overlaps else ()
    for row in again:  # now that they are locked
        first.setdefault(row.schedule, row)
    runs = [
        (run_id, name)
        for name, row in first.items()
        for run_id in statements.requests.next_runs(connection, row.id, row.may_start)
    ]
    placed = place(connection, application, runs, overlaps) if runs else 0
    if first:
        statements.requests.close(connection, [row.id for row in first.values()])
    return PlaceReport(placed, unreadable=unreadable)


def _lock(
    connection: Connection, application: str, known: Mapping[str, Schedule], names: Collection[str]
) -> tuple[dict[str, Overlap], dict[str, str]]:
    """Lock those of these schedules that are known and free, and return the policy of each, or why it cannot be read."""
    keys = {(application, name) for name in names if name in known}
    free = [name for _, name in statements.schedule.lock_free(connection, keys)] if keys else []
    rows = statements.schedule.of_application(connection, application, lock=False, names=free) if free else []
    overlaps: dict[str, Overlap] = {}
    unreadable: dict[str, str] = {}
    for row in rows:
        try:
            overlaps[row.name] = defined(row, known[row.name]).overlap
        except UnreadableDefinition as error:
            unreadable[row.name] = str(error)
    return overlaps, unreadable


def place(
    connection: Connection, application: str, runs: Collection[tuple[int, str]], overlaps: Mapping[str, Overlap]
) -> int:
    """Give runs (id, schedule) their places, the first one first, and start those that are in front; return
    how many had none yet. The schedules must be locked; ``overlaps`` has the policy of each: whether its
    runs wait for each other, and whether the last one replaces all others.
    """
    waits = {name: waits_for_predecessor(overlap) for name, overlap in overlaps.items()}
    placed = statements.requests.place(connection, [(run_id, waits[name]) for run_id, name in runs])
    newest = {name: run_id for run_id, name in runs if run_id in placed and overlaps[name] == "replace"}
    if newest:
        replace_older(connection, application, newest.items())
    behind = {(application, name) for _, name in runs if waits[name]}
    statements.ends.promote(connection, behind)
    return len(placed)


def defined(row: Row[Any], known: Schedule) -> Schedule:
    """Return the definition in the database; ``known`` is that of the replica."""
    return known if row.digest == known.digest() else read_schedule(row.definition)
