"""The activity: who did what, when and why (rule 23)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, literal, or_, select

from lease.database.dialects import later, now

from ....states import Act
from ...called import present_name
from ...statements.dialects import among_keys
from ...tables import act
from ..names import keys_named

_EVER = timedelta(days=36_500)
"""A hundred years: the databases cannot reckon with just any time."""


@dataclass(frozen=True, slots=True)
class ActLine:
    """An act of a person or a program."""

    acted_at: datetime
    acted_by: str
    act: Act
    application: str
    schedule: str | None
    run_id: int | None
    """A run that may have been pruned since."""
    why: str | None
    until: datetime | None
    """Of a pause: it ends by itself then."""
    effect: str | None
    """What came of it, where that is not plain from the rest."""
    act_id: int
    """Its number."""


def read_activity(
    connection: Connection,
    *,
    limit: int,
    application: str | None = None,
    schedule: str | None = None,
    by: str | None = None,
    what: Act | None = None,
    since: datetime | timedelta | None = None,
    before: int | None = None,
) -> list[ActLine]:
    """Return the latest acts, the newest first.

    ``by`` is who is recorded, with or without the host; ``since`` a moment, or how long before now, ``before``
    the number of an act that came later.
    """
    renamed = {"schedule": present_name(act), "act_id": act.c.id}
    columns: list[Any] = [renamed[name] if name in renamed else act.c[name] for name in ActLine.__dataclass_fields__]
    query = select(*columns).order_by(act.c.acted_at.desc(), act.c.id.desc())
    if application is not None:
        query = query.where(act.c.application == application)
    if schedule is not None:
        keys = keys_named(connection, schedule, application, retired=True)
        query = query.where(among_keys((act.c.application, act.c.schedule), keys))
    if by is not None:
        query = query.where(or_(act.c.acted_by == by, act.c.acted_by.startswith(f"{by}@", autoescape=True)))
    if what is not None:
        query = query.where(act.c.act == what)
    if since is not None:
        start = literal(since, act.c.acted_at.type) if isinstance(since, datetime) else _before(since)
        query = query.where(act.c.acted_at >= start)
    if before is not None:
        come_later = act.alias("come_later")
        moment = select(come_later.c.acted_at).where(come_later.c.id == before).scalar_subquery()
        query = query.where(act.c.acted_at <= moment, or_(act.c.acted_at < moment, act.c.id < before))
    return [ActLine(*row) for row in connection.execute(query.limit(limit))]


def _before(ago: timedelta) -> ColumnElement[datetime]:
    moment: ColumnElement[datetime] = later(now(), -min(ago, _EVER).total_seconds())
    return moment
