"""The definitions that came into the database, and the instants that were due by them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from daemon.definitions.schedule import read_schedule
from daemon.definitions.triggers.trigger import Every
from tests.checker.facts import Due

from ..history import Clocks, unmoved


@dataclass(frozen=True, slots=True)
class Ruling:
    """The timing of a schedule from some moment on."""

    at: datetime
    """When it was written."""
    since: datetime
    """From when on it counts."""
    timing: tuple[datetime, float] | None
    """The first instant, and the seconds from one to the next; None: there are none, or it was retired."""


def rulings(connection: Connection, clocks: Clocks) -> dict[str, list[Ruling]]:
    """Return those of each schedule, in their order."""
    order = "rowid" if connection.dialect.name == "sqlite" else "at"
    found: dict[str, list[Ruling]] = {}
    query = f"SELECT schedule, at, since, definition, retired FROM ruling ORDER BY {order}"
    for schedule, at, since, definition, retired in connection.execute(text(query)):
        timing = None if retired else _timing(definition)
        found.setdefault(schedule, []).append(Ruling(unmoved(at, clocks), unmoved(since, clocks), timing))
    return found


def due(schedule: str, ruled: Iterable[Ruling], until: datetime) -> Iterator[Due]:
    """Yield the instants that were due, by plain arithmetic from the timing that ruled when they came.

    Between the moment from which a timing counts and the one at which it is written, a replica may plan
    by the one before; so what either of them has there need not have been due.
    """
    spans = _changes(ruled)
    for began, ended in zip(spans, [*spans[1:], Ruling(until, until, None)], strict=True):
        if began.timing is None:
            continue
        at, interval = began.timing
        while at <= min(ended.at, until):
            if at > began.since:
                yield Due(schedule, at, certain=began.at < at <= ended.since)
            at += timedelta(seconds=interval)


def _changes(ruled: Iterable[Ruling]) -> Sequence[Ruling]:
    """Return those that change the timing."""
    found: list[Ruling] = []
    for one in ruled:
        if not found or found[-1].timing != one.timing:
            found.append(one)
    return found


def _timing(definition: str) -> tuple[datetime, float] | None:
    schedule = read_schedule(definition)
    if not isinstance(schedule.trigger, Every):
        return None  # its runs are triggered by faults
    assert schedule.starts is not None
    return schedule.starts, schedule.trigger.interval
