"""The replacements: runs that give way to a newer one of their schedule (`overlap = "replace"`, rule 23).

Their schedules must be locked: so no run of them ends meanwhile, and none takes its place.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    and_,
    case,
    cast,
    exists,
    literal_column,
    null,
    select,
    update,
)

from lease.database.dialects import Instant, now
from lease.database.held.statement import Statement

from ...tables import run
from ..acting.cancel import marked
from ..dialects import PENDING, SCHEDULED, agrees, as_rows, given, same_schedule, unfinished
from ..requests import placed

REPLACER = "leased"
"""Who cancelled a run that was replaced."""


def replaced_by() -> ColumnElement[int | None]:
    """Return SQL for the newer run that replaced one that is marked; NULL for any other."""
    is_replaced = and_(run.c.cancelled_at.is_not(None), run.c.cancelled_by == REPLACER)
    return case((is_replaced, run.c.overlapped), else_=null()).label("replaced_by")


def planned(connection: Connection, application: str, rows: Iterable[tuple[str, datetime]]) -> dict[str, int]:
    """Return by their schedules the runs that were planned for instants: (schedule, instant), one of each schedule."""
    found = _PLANNED(connection, {"instants": as_rows((application, *row) for row in rows)})
    return {name: run_id for run_id, name in found}


def mark_older(connection: Connection, application: str, newer: Iterable[tuple[str, int]]) -> list[tuple[int, str]]:
    """Mark the unfinished runs of schedules but for the ``newer`` ones (schedule, id), which replace them;
    return (id, state) of each that was marked now.

    A claim that has just locked one of them is waited for, so that its state is certain.
    """
    rows = _MARK_OLDER(connection, {"newer": as_rows((application, *row) for row in newer)})
    return [(run_id, state) for run_id, state in rows]


def start(connection: Connection, rows: Iterable[Sequence[Any]]) -> set[int]:
    """Let runs (id, when) start then, unless an unfinished one, at its end, promotes them; return the ids of these."""
    return {run_id for (run_id,) in _START(connection, {"firsts": as_rows(rows)})}


_instants = given("instants", application=Text, schedule=Text, scheduled_for=Instant)
_newer = given("newer", application=Text, schedule=Text, number=BigInteger)
_firsts = given("firsts", number=BigInteger, available_at=Instant)
_PLANNED = Statement(
    select(run.c.id, run.c.schedule).where(
        same_schedule(run, _instants),
        run.c.scheduled_for == _instants.c.scheduled_for,
        run.c.trigger == SCHEDULED,
    )
)
_MARK_OLDER = Statement(
    update(run)
    .where(
        same_schedule(run, _newer),
        unfinished(),
        run.c.id != _newer.c.number,
        ~marked(),
        placed(),
        run.c.backfill.is_(None),  # it runs an instant of its own, for which the newer one does not stand in
    )
    .values(
        cancelled_at=now(),
        cancelled_by=literal_column(f"'{REPLACER}'", Text),
        cancelled_why=literal_column("'replaced by run '", Text) + cast(_newer.c.number, Text),
        overlapped=_newer.c.number,
    )
    .returning(run.c.id, run.c.state)
)
_other = run.alias("other")
_ahead = exists().where(same_schedule(_other, run), unfinished(_other), _other.c.id != run.c.id, placed(_other))
_START = Statement(
    update(run)
    .where(run.c.id == _firsts.c.number, agrees(run.c.state, PENDING), ~_ahead)
    .values(available_at=_firsts.c.available_at)
    .returning(run.c.id)
)
