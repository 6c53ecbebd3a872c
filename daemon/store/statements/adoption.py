"""The statements on runs whose definition nobody has any more (rule 22)."""

from collections import Counter
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, null, or_, select, update

from lease.database.dialects import now

from ..tables import run, schedule
from .dialects import all_pending, among, pending


def pending_definitions(connection: Connection, application: str) -> list[Row[Any]]:
    """Return (schedule, digest, is_retired) of the definitions that pending runs were made from; the
    digest of 0.1.0's is None.
    """
    is_retired = schedule.c.retired_at.is_not(None).label("is_retired")
    query = (
        select(run.c.schedule, run.c.digest, is_retired)
        .join(schedule, and_(schedule.c.application == run.c.application, schedule.c.name == run.c.schedule))
        .where(run.c.application == application, all_pending())
    )
    return list(connection.execute(query.distinct()))


def adopt(connection: Connection, application: str, name: str, strange: Collection[str | None], digest: str) -> int:
    """Give a schedule's pending runs of ``strange`` definitions its own; return how many there were."""
    return connection.execute(
        update(run)
        .where(run.c.application == application, run.c.schedule == name, pending(), _of(strange))
        .values(digest=digest, adopted_from=run.c.digest)
    ).rowcount


def cancel_retired(connection: Connection, application: str, strange: Collection[str | None]) -> dict[str, int]:
    """End the pending runs of retired schedules that nobody has any more; return how many by schedule."""
    retired = exists().where(
        schedule.c.application == run.c.application,
        schedule.c.name == run.c.schedule,
        schedule.c.retired_at.is_not(None),
    )
    ended = connection.scalars(
        update(run)
        .where(run.c.application == application, all_pending(), retired, _of(strange))
        .values(state="cancelled", reason="retired", available_at=null(), place_at=null(), finished_at=now())
        .returning(run.c.schedule)
    )
    return dict(Counter(ended))


def _of(digests: Collection[str | None]) -> ColumnElement[bool]:
    known = among(run.c.digest, [digest for digest in digests if digest is not None])
    return or_(known, run.c.digest.is_(None)) if None in digests else known
