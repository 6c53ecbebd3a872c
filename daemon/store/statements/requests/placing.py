"""The statements on unplaced runs, which were requested for a moment and wait for it (rule 23).

Such a run stands in nobody's way: it is pending, may not start, and counts as unfinished only from
the moment on at which a replica gives it its place, under the lock of its schedule. What may be
placed late, in a transaction that commits late or with no replica up, is placed late.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Integer, Row, and_, case, null, or_, select, update

from lease.database.dialects import now
from lease.database.held.statement import Statement

from ...tables import run
from ..dialects import MOMENT, PENDING, among, chosen, pending
from ..sets.given import agrees, as_rows, given

WHEN_FED = datetime(9999, 1, 1, tzinfo=UTC)
"""The moment for which the runs of backfills are requested, which never comes: they are fed (`feeding`)."""


def unplaced(of: Any = run) -> ColumnElement[bool]:
    """Return the condition that a pending run has no place yet."""
    return and_(of.c.place_at.is_not(None), of.c.available_at.is_(None))


def placed(of: Any = run) -> ColumnElement[bool]:
    """Return the condition that an unfinished run has its place among those of its schedule, as the index has it."""
    return or_(of.c.place_at.is_(None), of.c.available_at.is_not(None))


def due(
    connection: Connection,
    application: str,
    limit: int,
    *,
    names: Collection[str] | None = None,
    but: Collection[str] = (),
) -> list[Row[Any]]:
    """Return up to ``limit`` unplaced runs (id, schedule) whose moment has come, the longest due
    first: of all schedules ``but`` for some, or of those of ``names``.

    The first ones are found before their moments are looked at: PostgreSQL takes it that a third of all runs were
    before a moment that it does not know yet, and would look at each that is not over.
    """
    first = (
        select(run.c.id, run.c.schedule, run.c.place_at)
        .where(
            run.c.application == application,
            pending(),
            unplaced(),
            ~among(run.c.schedule, but) if names is None else among(run.c.schedule, names),
        )
        .order_by(run.c.place_at, run.c.id)
        .limit(limit)
        .subquery()
    )
    query = select(first.c.id, first.c.schedule).where(first.c.place_at <= MOMENT)
    return list(connection.execute(query.order_by(first.c.place_at, first.c.id)))


def place(connection: Connection, runs: Iterable[tuple[int, bool]]) -> set[int]:
    """Give unplaced runs their places; return the ids of those that had none. Each is an id, and whether the run
    waits behind the unfinished ones of its schedule, which must be locked: then it is to be promoted
    (`ends.promote`). Otherwise it may start now.
    """
    placed = _PLACE(connection, {"runs": as_rows((number, int(waits)) for number, waits in runs)})
    return {number for (number,) in placed}


_runs = given("runs", number=BigInteger, waits=Integer)
_PLACE = Statement(
    update(run)
    .where(
        chosen(run.c.id, select(_runs.c.number).scalar_subquery()),
        run.c.id == _runs.c.number,
        agrees(run.c.state, PENDING),
        run.c.place_at.is_not(None),
    )
    .values(place_at=null(), available_at=case((_runs.c.waits == 1, run.c.available_at), else_=now()))
    .returning(run.c.id)
)
