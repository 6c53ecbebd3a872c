"""The statements on `run`."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, exists, func, insert, null, or_, select, update

from lease.database.dialects import insert_missing, later, now, seconds_between
from lease.model import Grant
from lease.schema import free_or_stale, lease

from ...states import EndState
from ..tables import run
from .cancel import marked, unless_marked
from .dialects import SCHEDULED, among, among_keys, at_last_chance, number, on_last_chance, pending, running, unfinished


def add(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert runs, except for instants that have one (rule 13); return how many were inserted."""
    made = connection.execute(insert_missing(connection, run).returning(run.c.id), list(rows))
    return len(made.all())


def add_manual(connection: Connection, values: Mapping[str, Any]) -> int:
    """Insert a run on request, and return its id."""
    made: int = connection.execute(insert(run).values(**values).returning(run.c.id)).scalar_one()
    return made


def extend(
    connection: Connection, application: str, name: str, *, scheduled_for: datetime, last: datetime, count: int
) -> int:
    """Extend a counted row to further instants; return the number of rows changed."""
    return connection.execute(
        update(run)
        .where(
            run.c.application == application,
            run.c.schedule == name,
            run.c.scheduled_for == scheduled_for,
            run.c.trigger == SCHEDULED,
            run.c.last_scheduled_for.is_not(None),
        )
        .values(last_scheduled_for=last, count=count, finished_at=now())
    ).rowcount


def unfinished_of(connection: Connection, application: str, name: str) -> tuple[int, str | None] | None:
    """Return a schedule's run that is not over, and the label of who has it; the one at work, if there are several."""
    holding = and_(lease.c.name == run.c.lease_name, lease.c.token == run.c.token, lease.c.holder == run.c.holder)
    query = (
        select(run.c.id, case((running(), lease.c.label), else_=null()))
        .select_from(run.outerjoin(lease, holding))
        .where(run.c.application == application, run.c.schedule == name, unfinished())
        .order_by(case((running(), 0), else_=1), run.c.scheduled_for, run.c.id)
        .limit(1)
    )
    found = connection.execute(query).one_or_none()
    return None if found is None else (found[0], found[1])


def name_leases(
    connection: Connection, application: str, name: str, lease_name: str, *, per_run: bool, digest: str | None
) -> None:
    """Set the lease name of a schedule's pending runs of this definition, which hold no lease."""
    wanted: ColumnElement[str] | str = lease_name + "/" + number(run.c.id) if per_run else lease_name
    connection.execute(
        update(run)
        .where(
            run.c.application == application,
            run.c.schedule == name,
            pending(),
            run.c.digest.is_not_distinct_from(digest),
            run.c.lease_name != wanted,
        )
        .values(lease_name=wanted)
    )


def candidates(  # noqa: PLR0917 - who claims what, beside what
    connection: Connection,
    application: str,
    digests: Collection[str],
    holder: str,
    tried: Collection[str],
    limit: int,
    *,
    last_chances: bool = True,
) -> list[tuple[int, str, bool]]:
    """Lock runs that may start and return (id, lease, on its last chance), the longest due first; skip
    locked ones.

    Runs whose lease is visibly live, or was ``tried``, are left out: they would take the place of
    others. So are runs on their last chance, if ``holder`` has one at work, or without ``last_chances``.
    """
    live = exists().where(lease.c.name == run.c.lease_name, ~free_or_stale())
    apart = or_(~at_last_chance(holder), ~on_last_chance()) if last_chances else ~on_last_chance()
    query = (
        select(run.c.id, run.c.lease_name, on_last_chance())
        .where(
            run.c.application == application,
            pending(),
            run.c.available_at <= now(),
            among(run.c.digest, digests),
            ~_late(),
            ~live,
            ~marked(),
            apart,
        )
        .order_by(run.c.available_at, run.c.id)
        .limit(limit)
        .with_for_update(of=run, skip_locked=True, key_share=True)
    )
    if tried:
        query = query.where(~among(run.c.lease_name, tried))
    return [(id_, name, bool(last_chance)) for id_, name, last_chance in connection.execute(query)]


def start(connection: Connection, ids: Collection[int], holder: str) -> list[Row[Any]]:
    """Mark these pending runs as running under ``holder``'s grants of their leases; return them."""
    started = (
        update(run)
        .where(among_keys((run.c.id,), ids), pending(), lease.c.name == run.c.lease_name, lease.c.holder == holder)
        .values(
            state="running",
            token=lease.c.token,
            holder=lease.c.holder,
            attempt=run.c.attempt + 1,
            claimed_attempt=run.c.attempt + 1,
            started_at=func.coalesce(run.c.started_at, now()),
            reason=null(),
        )
        .returning(*run.c, seconds_between(run.c.started_at, now()).label("started_ago"))
    )
    return list(connection.execute(started))


def read(connection: Connection, run_id: int) -> Row[Any] | None:
    return connection.execute(select(run).where(run.c.id == run_id)).one_or_none()


def end(connection: Connection, run_id: int, grant: Grant, state: EndState, reason: str | None) -> Row[Any] | None:
    """Record the end of a run; return its (state, reason), None if no row was changed.

    A marked run ends as cancelled, whatever its jobs did meanwhile: a mark that has been
    acknowledged is never taken back. The reason says if all of its work was done by then.
    """
    remark = "; by then all of its jobs had succeeded" if state == "succeeded" else ""
    values = unless_marked({"state": state, "reason": reason, "finished_at": now()}, remark)
    return _change(connection, run_id, grant, values)


def put_back(connection: Connection, run_id: int, grant: Grant, wait: float, reason: str | None) -> Row[Any] | None:
    """Put a run back to pending for ``wait`` seconds, or end a marked one as cancelled; return its
    (state, reason), None if no row was changed.
    """
    values = unless_marked({"state": "pending", "available_at": later(now(), wait), "reason": reason})
    return _change(connection, run_id, grant, values)


def leave_word(connection: Connection, run_id: int, grant: Grant, wait: float, reason: str | None) -> None:
    """Record what becomes of a run once it is settled: with a ``reason`` it has failed; else it waits."""
    values = {"reason": reason, "available_at": later(now(), wait)}
    connection.execute(update(run).where(_runs_under(run_id, grant)).values(**values))


def reset_abandoned(connection: Connection, run_id: int, grant: Grant) -> None:
    """Reset the count of abandoned attempts, now that one of the run's jobs has succeeded."""
    connection.execute(update(run).where(_runs_under(run_id, grant), run.c.abandoned > 0).values(abandoned=0))


def promote(connection: Connection, application: str, name: str) -> None:
    """Make the first run that waits for its predecessor due, if no other run is unfinished (rule
    14).

    The schedule's row must be locked.
    """
    other = run.alias("other")
    # `available_at` is set in all runs that do not wait, also in running ones.
    ahead = exists().where(
        other.c.application == application,
        other.c.schedule == name,
        unfinished(other),
        other.c.available_at.is_not(None),
    )
    first = (
        select(other.c.id)
        .where(
            other.c.application == application,
            other.c.schedule == name,
            unfinished(other),
            other.c.available_at.is_(None),
        )
        .order_by(other.c.scheduled_for, other.c.id)
        .limit(1)
        .scalar_subquery()
    )
    connection.execute(update(run).where(run.c.id == first, ~ahead).values(available_at=now()))


def start_put_off(connection: Connection, application: str, longest_wait: float) -> int:
    """Let the runs that are to start in more than ``longest_wait`` seconds start now, but for those that
    another transaction has locked; return how many.
    """
    put_off = select(run.c.id).where(
        run.c.application == application, pending(), run.c.available_at > later(now(), longest_wait)
    )
    free = put_off.with_for_update(skip_locked=True, key_share=True).scalar_subquery()
    return connection.execute(update(run).where(run.c.id.in_(free)).values(available_at=now())).rowcount


def late(connection: Connection, application: str, names: Collection[str]) -> list[str]:
    """Return the schedules with runs that should have started by now but did not."""
    query = select(run.c.schedule).where(run.c.application == application, among(run.c.schedule, names), _late())
    return list(connection.scalars(query.distinct()))


def mark_missed(connection: Connection, application: str, names: Collection[str], limit: int) -> Counter[str]:
    """Mark up to ``limit`` late runs of these schedules, which must be locked, as missed; return how many by
    schedule.
    """
    longest = (
        select(run.c.id)
        .where(run.c.application == application, among(run.c.schedule, names), _late())
        .order_by(run.c.start_by)
        .limit(limit)
        .scalar_subquery()
    )
    missed = (
        update(run)
        .where(run.c.id.in_(longest), _late())
        .values(state="skipped", reason="missed", available_at=null(), finished_at=now())
        .returning(run.c.schedule)
    )
    return Counter(connection.scalars(missed))


def _change(connection: Connection, run_id: int, grant: Grant, values: Mapping[str, Any]) -> Row[Any] | None:
    changed = update(run).where(_runs_under(run_id, grant)).values(**values).returning(run.c.state, run.c.reason)
    return connection.execute(changed).one_or_none()


def _runs_under(run_id: int, grant: Grant) -> ColumnElement[bool]:
    return and_(run.c.id == run_id, running(), run.c.token == grant.token, run.c.holder == grant.holder)


def _late() -> ColumnElement[bool]:
    return and_(pending(), run.c.start_by.is_not(None), run.c.start_by < now(), run.c.started_at.is_(None))
