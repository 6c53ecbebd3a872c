"""What people did: their acts, the pauses of schedules, and the backfills."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, or_, select

from lease.database.dialects import later, now

from ...states import Act
from ..statements.dialects import among_keys, if_given
from ..tables import Reader, act, backfill, present_name, run, schedule
from .names import keys_named

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
    reader = Reader(ActLine, act, schedule=present_name(act), act_id=act.c.id)
    query = select(*reader.columns).order_by(act.c.acted_at.desc(), act.c.id.desc())
    query = query.where(*if_given(act.c.application, application), *if_given(act.c.act, what))
    if schedule is not None:
        keys = keys_named(connection, schedule, application, retired=True)
        query = query.where(among_keys((act.c.application, act.c.schedule), keys))
    if by is not None:
        query = query.where(or_(act.c.acted_by == by, act.c.acted_by.startswith(f"{by}@", autoescape=True)))
    if isinstance(since, datetime):
        query = query.where(act.c.acted_at >= literal(since, act.c.acted_at.type))
    elif since is not None:
        query = query.where(act.c.acted_at >= later(now(), -min(since, _EVER).total_seconds()))
    if before is not None:
        come_later = act.alias("come_later")
        moment = select(come_later.c.acted_at).where(come_later.c.id == before).scalar_subquery()
        query = query.where(act.c.acted_at <= moment, or_(act.c.acted_at < moment, act.c.id < before))
    return list(map(reader.read, connection.execute(query.limit(limit))))


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
        return self.instants - self.running - self.waiting

    @property
    def is_over(self) -> bool:
        return not (self.running or self.waiting)

    @property
    def in_words(self) -> str:
        """How far it is: ``backfill 3 of nightly: 4 of 6 done, 1 running, by ann``."""
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
    """Return the latest backfills, the newest first: only ``unfinished`` ones, or those of numbers below ``before``."""

    def number(*states: str) -> ColumnElement[int | None]:
        return case((run.c.state.in_(states), 1))

    reader = Reader(
        BackfillLine,
        backfill,
        backfill_id=backfill.c.id,
        schedule=present_name(backfill),
        running=func.count(number("running")),
        waiting=func.count(number("pending")),
        failed=func.count(number("failed", "cancelled")),
    )
    latest = select(backfill.c.id).order_by(backfill.c.id.desc()).limit(limit)
    latest = latest.where(*if_given(backfill.c.application, application))
    if before is not None:
        latest = latest.where(backfill.c.id < before)
    if unfinished:
        mine = (run.c.backfill == backfill.c.id, run.c.state.in_(("running", "pending")))
        latest = latest.where(select(run.c.id).where(*mine).exists())
    query = select(*reader.columns).outerjoin(run, run.c.backfill == backfill.c.id).where(backfill.c.id.in_(latest))
    rows = connection.execute(query.group_by(*backfill.c).order_by(backfill.c.id.desc()))
    return list(map(reader.read, rows))


def in_force() -> ColumnElement[bool]:
    """Return the condition that a schedule is paused: a pause that has ended stays in its row until the next plan."""
    until = schedule.c.paused_until
    return and_(schedule.c.paused_at.is_not(None), or_(until.is_(None), until > now()))
