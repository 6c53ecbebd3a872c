"""The backfills: what was requested, by whom, and how far it is."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, case, func, null, select

from ...called import present_name
from ...tables import backfill, run


@dataclass(frozen=True, slots=True)
class BackfillLine:
    """A backfill, and how many of its runs are where."""

    backfill_id: int
    application: str
    schedule: str
    first: datetime
    last: datetime
    at_most: int
    """So many of its runs are unfinished and in their places at a time."""
    instants: int
    """So many were to run."""
    running: int
    waiting: int
    failed: int
    """Those that failed, or were cancelled."""
    requested_by: str
    requested_why: str | None
    created_at: datetime
    paused_at: datetime | None
    cancelled_at: datetime | None

    @property
    def done(self) -> int:
        """How many are over."""
        return self.instants - self.running - self.waiting

    @property
    def is_over(self) -> bool:
        """Whether all are over."""
        return not (self.running or self.waiting)

    @property
    def in_words(self) -> str:
        """Return how far it is: ``backfill 3 of nightly: 4 of 6 done, 1 running, by ann``."""
        parts = [f"{self.done:,} of {self.instants:,} done"]
        parts += [f"{self.failed:,} of them failed or were cancelled"] if self.failed else []
        parts += [f"{self.running:,} running"] if self.running else []
        parts.append(f"by {self.requested_by}")
        parts += ["cancelled"] if self.cancelled_at else ["paused"] if self.paused_at and not self.is_over else []
        return f"backfill {self.backfill_id} of {self.schedule}: {', '.join(parts)}"


def read_backfills(
    connection: Connection,
    *,
    limit: int,
    application: str | None = None,
    unfinished: bool = False,
    before: int | None = None,
) -> list[BackfillLine]:
    """Return the latest backfills, the newest first; with ``unfinished``, those of which a run is not over, and with
    ``before``, those of a lower number.
    """

    def number(*states: str) -> ColumnElement[int | None]:
        return case((run.c.state.in_(states), 1), else_=null())

    fields = (
        backfill.c.id,
        backfill.c.application,
        present_name(backfill),
        backfill.c.first,
        backfill.c.last,
        backfill.c.at_most,
        backfill.c.instants,
    )
    latest = select(backfill).order_by(backfill.c.id.desc())
    if application is not None:
        latest = latest.where(backfill.c.application == application)
    if before is not None:
        latest = latest.where(backfill.c.id < before)
    if unfinished:
        mine = (run.c.backfill == backfill.c.id, run.c.state.in_(("running", "pending")))
        latest = latest.where(select(run.c.id).where(*mine).exists())
    ids = latest.limit(limit).with_only_columns(backfill.c.id)
    counts = (func.count(number("running")), func.count(number("pending")), func.count(number("failed", "cancelled")))
    more = (
        backfill.c.requested_by,
        backfill.c.requested_why,
        backfill.c.created_at,
        backfill.c.paused_at,
        backfill.c.cancelled_at,
    )
    query = (
        select(*fields, *counts, *more)
        .outerjoin(run, run.c.backfill == backfill.c.id)
        .where(backfill.c.id.in_(ids))
        .group_by(*backfill.c)
        .order_by(backfill.c.id.desc())
    )
    return [BackfillLine(*row) for row in connection.execute(query)]
