"""The query by which a replica learns what there is to do."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, literal, or_, select

from lease.database.dialects import clock, now, seconds_between, seconds_until
from lease.schema import free_or_stale, lease

from ..tables import run, schedule
from .cancel import marked
from .dialects import among, at_last_chance, on_last_chance, pending, running, unfinished


def read(
    connection: Connection, application: str, known: Mapping[str, str], holder: str | None, longest_wait: float
) -> Row[Any]:
    """Return the fields of `daemon.service.loop.agenda.Agenda`; no run waits longer than ``longest_wait`` seconds."""
    due, late = _due(application, known.keys()), _late(application, known.keys())
    runs = _runs(application, known.values(), holder, longest_wait)
    earlier = case((due.c.until.is_(None), late.c.until), (late.c.until < due.c.until, late.c.until), else_=due.c.until)
    return connection.execute(
        select(
            now().label("database_time"),
            earlier.label("until_due"),
            (due.c.number + late.c.number).label("due"),
            runs.c.until_available,
            runs.c.until_stale,
            runs.c.available,
            runs.c.waiting,
            runs.c.running,
            runs.c.others_running,
            runs.c.put_off,
        ).select_from(due.join(late, literal(True)).join(runs, literal(True)))
    ).one()


def waiting_for(connection: Connection, application: str, locks: Collection[str]) -> list[str]:
    """Return those of ``locks`` under which a run is to start by now."""
    query = select(run.c.lease_name).where(
        run.c.application == application, pending(), run.c.available_at <= now(), among(run.c.lease_name, locks)
    )
    return list(connection.scalars(query.distinct()))


def _due(application: str, names: Collection[str]) -> Any:
    """Return the query for the instants to plan."""
    return (
        select(
            func.min(seconds_until(schedule.c.next_due)).label("until"),
            func.count(case((schedule.c.next_due <= now(), 1))).label("number"),
        )
        .where(
            schedule.c.application == application,
            schedule.c.next_due.is_not(None),
            among(schedule.c.name, names),
        )
        .subquery("due")
    )


def _late(application: str, names: Collection[str]) -> Any:
    """Return the query for the runs that must start by a given time and have not started."""
    return (
        select(
            func.min(seconds_until(run.c.start_by)).label("until"),
            func.count(case((run.c.start_by < now(), 1))).label("number"),
        )
        .where(
            run.c.application == application,
            pending(),
            run.c.start_by.is_not(None),
            run.c.started_at.is_(None),
            among(run.c.schedule, names),
        )
        .subquery("late")
    )


def _runs(application: str, digests: Collection[str], holder: str | None, longest_wait: float) -> Any:
    """Return the query for the unfinished runs."""
    until_start = seconds_until(run.c.available_at)
    until_free = seconds_between(clock(), lease.c.expires_at)
    live = and_(lease.c.holder.is_not(None), ~free_or_stale())
    apart = and_(at_last_chance(holder or ""), on_last_chance())  # the end of that run wakes this replica
    may_start = and_(pending(), run.c.available_at.is_not(None), ~marked(), ~apart)
    blocked = and_(live, until_free > until_start)
    ours = and_(lease.c.holder == run.c.holder, lease.c.token == run.c.token)
    known = among(run.c.digest, digests)
    available = and_(may_start, run.c.available_at <= now(), ~func.coalesce(live, literal(False)))
    return (
        select(
            func.min(case((may_start, case((blocked, until_free), else_=until_start)))).label("until_available"),
            func.min(
                case((running(), case((and_(ours, live), until_free), else_=0.0)), (and_(pending(), marked()), 0.0))
            ).label("until_stale"),
            func.count(case((available, 1))).label("available"),
            func.count(case((and_(pending(), ~available), 1))).label("waiting"),
            func.count(case((and_(running(), known), 1))).label("running"),
            func.count(case((and_(running(), run.c.holder != (holder or "")), 1))).label("others_running"),
            func.count(case((and_(may_start, until_start > longest_wait), 1))).label("put_off"),
        )
        .select_from(run.outerjoin(lease, lease.c.name == run.c.lease_name))
        .where(
            run.c.application == application,
            unfinished(),
            or_(known, running()),  # any replica settles a stranded run, also of a schedule it does not have (rule 18)
        )
        .subquery("runs")
    )
