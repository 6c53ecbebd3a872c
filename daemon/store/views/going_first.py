"""Which run of higher priority goes before one that waits for capacity or a slot."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Row, Text, case, exists, or_, select

from lease.schema import lease

from ...states import LEADS, Priority
from ..called import present_name
from ..statements.acting.cancel import marked
from ..statements.agenda import BY_START, LIVE
from ..statements.dialects import MOMENT, among, on_last_chance, pending
from ..statements.run import is_late
from ..statements.sets.given import as_rows, given
from ..tables import run
from .causes import WaitsForPlace, WaitsForSlot, Why

_HIGHER: Mapping[Priority, Sequence[Priority]] = {"low": ["normal", "high"], "normal": ["high"], "high": []}


class _First(NamedTuple):
    """The first run of a queue."""

    waits_since: datetime
    """Since when it counts as waiting, by its priority."""
    run_id: int
    schedule: str


def name_first(
    connection: Connection, rows: Sequence[Row[Any]], whys: Sequence[Why | None], digests: Collection[str]
) -> list[Why | None]:
    """Return the causes of these runs. Those that wait for capacity or a slot name the run that goes first because its
    priority is higher, if one of ``digests`` does.
    """
    before = [tuple(_before(row, why)) for row, why in zip(rows, whys, strict=True)]
    first = _read(connection, {queue for queues in before for queue in queues}, digests)
    return [_behind(*one, first) for one in zip(rows, whys, before, strict=True)]


def _before(row: Row[Any], why: Why | None) -> Iterator[tuple[str, str]]:
    """Yield the queues of higher priority (application, name): its lock's, and if it waits for capacity also that of
    runs without slots.
    """
    if isinstance(why, WaitsForPlace | WaitsForSlot) and row.why_available_at is not None:
        priority, lock = _priority_and_lock(row.why_queue)
        for higher in _HIGHER[priority]:
            if lock:
                yield row.why_application, f"{higher} {lock}"
            if isinstance(why, WaitsForPlace):
                yield row.why_application, higher


def _behind(
    row: Row[Any], why: Why | None, before: Iterable[tuple[str, str]], first: Mapping[tuple[str, str], _First]
) -> Why | None:
    ahead = min((first[queue] for queue in before if queue in first), default=None)
    if ahead is None or not isinstance(why, WaitsForPlace | WaitsForSlot):
        return why
    own = row.why_available_at - LEADS[_priority_and_lock(row.why_queue)[0]]
    return replace(why, run_id=ahead.run_id, schedule=ahead.schedule) if ahead.waits_since < own else why


def _priority_and_lock(queue: str | None) -> tuple[Priority, str]:
    priority, _, lock = (queue or "normal").partition(" ")
    return cast("Priority", priority), lock


def _read(
    connection: Connection, queues: Collection[tuple[str, str]], digests: Collection[str]
) -> dict[tuple[str, str], _First]:
    """Return the first run of each of these queues that may start now."""
    if not queues:
        return {}
    values = {"queues": as_rows(sorted(queues))}
    rows = connection.execute(_first_of_each(digests), values)
    return {
        (application, queue): _First(at - LEADS[_priority_and_lock(queue)[0]], run_id, schedule)
        for application, queue, at, run_id, schedule in rows
    }


def _first_of_each(digests: Collection[str]) -> Any:
    asked = given("queues", application=Text, name=Text)
    free = or_(asked.c.name.contains(" "), ~exists().where(lease.c.name == run.c.lease_name, LIVE))
    may_start = (pending(), run.c.available_at <= MOMENT, ~is_late(), ~marked(), ~on_last_chance(), free)
    known = (run.c.application == asked.c.application, *may_start, among(run.c.digest, digests))
    found = select(run.c.id).where(*known).order_by(*BY_START).limit(1).correlate(asked)
    first = case(
        (asked.c.name == "normal", found.where(run.c.queue.is_(None)).scalar_subquery()),
        else_=found.where(run.c.queue == asked.c.name).scalar_subquery(),
    )
    return select(asked.c.application, asked.c.name, run.c.available_at, run.c.id, present_name(run)).select_from(
        asked.join(run, run.c.id == first)
    )
