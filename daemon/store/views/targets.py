"""The targets of messages and pings: what waits for each, and what became of the latest."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from lease.database.dialects import later, now, seconds_between

from ...text import counted, lasted, shortened, target_text
from ..statements.delivery import asks, is_lost
from ..statements.dialects import if_given
from ..tables import Reader, delivery, schedule
from .problems import Problem

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class TargetLine:
    """A target, and what was sent to it in the last week."""

    application: str
    target: str
    """For people, without what may be secret."""
    waiting: int = 0
    waiting_since: datetime | None = None
    delivered: int = 0
    """The messages that were delivered in the last week, with those that they told as well; of pings none."""
    delivered_at: datetime | None = None
    lost: int = 0
    """Those that were given up in the last week, or not sent because the target is gone."""
    gone: bool = False
    """It answered 410, and nothing is sent to it any more."""
    last_error: str | None = None
    """Of the latest message that could not be delivered."""


def read_targets(connection: Connection, application: str | None = None) -> list[TargetLine]:
    """Return the targets, those of one application or of all."""
    waits = delivery.c.done_at.is_(None)
    delivered = delivery.c.outcome == "delivered"
    lines = (
        select(
            delivery.c.application,
            delivery.c.target,
            _count(waits).label("waiting"),
            func.min(case((waits, delivery.c.created_at)), type_=delivery.c.created_at.type).label("waiting_since"),
            _count(delivered, 1 + delivery.c.folded).label("delivered"),
            func.max(case((delivered, delivery.c.done_at)), type_=delivery.c.done_at.type).label("delivered_at"),
            _count(is_lost).label("lost"),
            (_count(delivery.c.outcome == "gone") > 0).label("gone"),
            func.max(case((delivery.c.error.is_not(None), delivery.c.id))).label("failed"),
        )
        .where(*if_given(delivery.c.application, application))
        .group_by(delivery.c.application, delivery.c.target)
        .subquery()
    )
    failed = delivery.alias("failed")
    reader = Reader(TargetLine, lines, last_error=failed.c.error)
    query = select(*reader.columns).join_from(lines, failed, failed.c.id == lines.c.failed, isouter=True)
    return list(map(reader.read, connection.execute(query.order_by(lines.c.application, lines.c.target))))


def read_undelivered(connection: Connection, application: str | None = None) -> list[Problem]:
    """Return a problem for each target that fails now, or for which a message was lost in the last 24 hours."""
    fails = and_(delivery.c.done_at.is_(None), delivery.c.error.is_not(None))
    lost = and_(is_lost, delivery.c.done_at > later(now(), -_DAY))
    which = (or_(fails, lost), *if_given(delivery.c.application, application))
    key = (delivery.c.application, delivery.c.target)
    error, since = func.max(case((fails, delivery.c.error))), func.min(case((fails, delivery.c.created_at)))
    counts = (_count(lost), _count(delivery.c.outcome == "gone"))
    query = select(*key, error, seconds_between(since, now()), *counts).where(*which).group_by(*key).order_by(*key)
    return [
        Problem("not delivered", _undelivered(target_text(target), *found), of, next=("leased notify",))
        for of, target, *found in connection.execute(query)
    ]


def _undelivered(target: str, error: str | None, since: float | None, lost: int, gone: int) -> str:
    if gone:
        return f"{target} answered that it is gone: no message is sent to it any more; {counted(gone, 'message')} lost in the last 24h"
    if error is None:
        return f"{counted(lost, 'message')} to {target} could not be delivered for 3 days, and {'was' if lost == 1 else 'were'} given up"
    return f"messages to {target} have not been delivered for {lasted(since)}: {shortened(error)}"


def read_asking(connection: Connection, application: str | None = None) -> list[tuple[str, str]]:
    """Return (application, definition) of the schedules that may ask for messages or pings."""
    which = (asks, schedule.c.retired_at.is_(None), *if_given(schedule.c.application, application))
    query = select(schedule.c.application, schedule.c.definition).where(*which)
    return [(of, definition) for of, definition in connection.execute(query)]


def _count(which: ColumnElement[bool], each: ColumnElement[int] | int = 1) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((which, each), else_=0)), 0)
