"""The statements by which history goes: old runs with all that belongs to them, and what else is old; and what must
not be kept of one run. None of them waits for a row lock: that run is locked already.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, case, delete, exists, false, func, or_, select, update

from lease.database.dialects import insert_missing, later, now, seconds_between
from lease.schema import free_or_stale, lease

from ..tables import act, generation, job_output, job_run, pruned, replica, run, schedule
from .dialects import SCHEDULED, all_pending, among, among_keys, of_schedule, running, same_schedule, unfinished
from .generation import read_run_digests

_any = run.alias("any_run")


def was_granted(connection: Connection, lease_name: str, within: float) -> bool:
    """Return whether a lease was granted to anybody in the last ``within`` seconds."""
    lately = seconds_between(lease.c.granted_at, now()) < within
    return connection.scalar(select(lease.c.name).where(lease.c.name == lease_name, lately)) is not None


def keeping(connection: Connection, application: str) -> list[Row[Any]]:
    """Return (name, definition) of the schedules, retired ones included, whose definition may say what is kept."""
    says = schedule.c.definition.contains('"keep": {', autoescape=True)
    query = select(schedule.c.name, schedule.c.definition).where(schedule.c.application == application, says)
    return list(connection.execute(query.order_by(schedule.c.name)))


def oldest_kept(connection: Connection, application: str, name: str, runs: int) -> int | None:
    """Return the oldest of the newest so many runs of a schedule; None if there are not so many."""
    query = select(run.c.id).where(*of_schedule(run, application, name)).order_by(run.c.id.desc())
    return connection.scalar(query.offset(runs - 1).limit(1))


def first_runs(  # noqa: PLR0917 - of what, and from where to where
    connection: Connection, application: str, name: str, after: int, before: int | None, limit: int
) -> list[Row[Any]]:
    """Return the first runs of a schedule with an id above ``after`` and below ``before``, by id: their
    ``id``, whether they were ``scheduled``, the ``last`` instant that they stand for, the seconds
    ``created_for`` and ``ended_for``, and whether the present stretch ``goes_on`` in this row.
    """
    goes_on = and_(run.c.last_scheduled_for.is_not(None), run.c.scheduled_for == schedule.c.stretch_from)
    query = (
        select(
            run.c.id,
            (run.c.trigger == SCHEDULED).label("scheduled"),
            func.coalesce(run.c.last_scheduled_for, run.c.scheduled_for, type_=now.type).label("last"),
            seconds_between(run.c.created_at, now()).label("created_for"),
            seconds_between(run.c.finished_at, now()).label("ended_for"),
            func.coalesce(goes_on, false()).label("goes_on"),
        )
        .join(schedule, same_schedule(schedule, run))
        .where(*of_schedule(run, application, name), run.c.id > after)
    )
    if before is not None:
        query = query.where(run.c.id < before)
    return list(connection.execute(query.order_by(run.c.id).limit(limit)))


def mark_pruned(connection: Connection, application: str, name: str, until: datetime) -> None:
    """Record that runs of instants up to ``until`` may be gone, unless later ones may, by another pruner, say."""
    first = {"application": application, "schedule": name, "until": until}
    connection.execute(insert_missing(pruned).values(**first))
    earlier = (*of_schedule(pruned, application, name), pruned.c.until < until)
    connection.execute(update(pruned).where(*earlier).values(until=until))


def pruned_until(connection: Connection, application: str, name: str) -> datetime | None:
    """Return the instant up to which runs may be gone. Whoever reads the runs before this knows of each that was
    there whether it may have been missed: it is recorded before they go.
    """
    return connection.scalar(select(pruned.c.until).where(*of_schedule(pruned, application, name)))


def delete_runs(connection: Connection, application: str, name: str, ids: Collection[int]) -> int:
    """Delete those of these runs that are over, with their job runs, what these printed, and the leases that
    none but they had; leave out those of which a row is locked, and what has tried such a one again: it would
    be tried once more. Return how many.

    The newest run of all stays: SQLite would give its number to the next one, and keys, acts, effects and the
    lease of one run alone go by that.
    """
    newest = select(func.max(_any.c.id)).scalar_subquery()
    over = select(run.c.id).where(among_keys(run.c.id, ids), ~unfinished(), run.c.id < newest)
    going = set(connection.scalars(over.with_for_update(skip_locked=True)))
    going -= _with_a_held_lease(connection, application, name, going)
    query = select(job_run.c.id, job_run.c.run_id).where(among_keys(job_run.c.run_id, going))
    attempts = {row.id: row.run_id for row in connection.execute(query)}
    free = set(connection.scalars(query.with_for_update(skip_locked=True)))
    going -= {run_id for number, run_id in attempts.items() if number not in free}
    going -= _that_try_one_again_that_stays(connection, going)
    job_runs = [number for number, run_id in attempts.items() if run_id in going]
    connection.execute(delete(job_output).where(among_keys(job_output.c.job_run_id, job_runs)))
    connection.execute(delete(job_run).where(among_keys(job_run.c.id, job_runs)))
    return connection.execute(delete(run).where(among_keys(run.c.id, going))).rowcount


def _that_try_one_again_that_stays(connection: Connection, ids: Collection[int]) -> set[int]:
    there = run.join(_any, _any.c.id == run.c.retry_of)
    query = select(run.c.id, run.c.retry_of).select_from(there).where(among_keys(run.c.id, ids))
    stay: set[int] = set()
    for row in connection.execute(query.order_by(run.c.id)):
        if row.retry_of not in ids or row.retry_of in stay:
            stay.add(row.id)
    return stay


def _with_a_held_lease(connection: Connection, application: str, name: str, ids: Iterable[int]) -> set[int]:
    """Delete the leases that are named after these runs; return the runs whose lease is held or locked."""
    named = {f"run/{application}/{name}/{run_id}": run_id for run_id in ids}
    there = set(connection.scalars(select(lease.c.name).where(among(lease.c.name, named))))
    if not there:
        return set()
    free = select(lease.c.name).where(among(lease.c.name, there), free_or_stale())
    gone = set(connection.scalars(free.with_for_update(skip_locked=True)))
    connection.execute(delete(lease).where(among(lease.c.name, gone)))
    return {named[one] for one in there - gone}


def delete_acts(connection: Connection, older_than: float, limit: int) -> int:
    """Delete up to ``limit`` acts, of whatever application, that are older than so many seconds; return how many."""
    horizon = select(later(now(), -older_than)).scalar_subquery()
    old = select(act.c.id).where(act.c.acted_at < horizon).order_by(act.c.acted_at).limit(limit)
    free = old.with_for_update(skip_locked=True)
    return connection.execute(delete(act).where(act.c.id.in_(free))).rowcount


def delete_generations(connection: Connection, application: str, older_than: float, but: int, limit: int) -> int:
    """Delete up to ``limit`` generations that gave way, or came, more than so many seconds ago; return how many.

    Neither the newest ``but``, nor one that rules, nor one that a replica is recorded with, nor one by
    which a run goes that is not over.
    """
    of_application = generation.c.application == application
    newest = select(generation.c.number).where(of_application).order_by(generation.c.number.desc()).limit(but)
    left_at = func.coalesce(generation.c.superseded_at, generation.c.came_at, type_=now.type)
    old = select(generation.c.number, generation.c.run_digests).where(
        of_application,
        ~generation.c.rules,
        seconds_between(left_at, now()) > older_than,
        generation.c.number.not_in(newest),
        ~exists().where(replica.c.digest == generation.c.digest),
    )
    oldest = old.order_by(generation.c.number).limit(limit).with_for_update(skip_locked=True)
    found = {number: read_run_digests(stored) for number, stored in connection.execute(oldest)}
    used = _digests_at_work(connection, application, {digest for digests in found.values() for digest in digests})
    going = [number for number, digests in found.items() if used.isdisjoint(digests)]
    return connection.execute(delete(generation).where(of_application, generation.c.number.in_(going))).rowcount


def _digests_at_work(connection: Connection, application: str, digests: set[str]) -> set[str]:
    """Return those of the run digests by which a run goes that is not over."""
    return {
        digest
        for state in (all_pending, running)
        for digest in connection.scalars(
            select(run.c.digest).where(run.c.application == application, state, among(run.c.digest, digests)).distinct()
        )
    }


def forget(connection: Connection, run_id: int, by: str, said: str) -> None:
    """Delete the params of a run that is over, the reasons that people gave, and what its jobs printed,
    reported and failed with; the run must be locked. ``said`` becomes the reason of its end, unless that
    is one of ours that says nothing of it.
    """
    plain = or_(run.c.reason.is_(None), run.c.state == "skipped", run.c.reason == "retired")
    values = {
        "params": "{}",
        "requested_why": None,
        "cancelled_why": None,
        "look": None,
        "reason": case((plain, run.c.reason), else_=said),
        "forgotten_at": now(),
        "forgotten_by": by,
    }
    connection.execute(update(run).where(run.c.id == run_id).values(**values))
    attempts = select(job_run.c.id).where(job_run.c.run_id == run_id)
    connection.execute(delete(job_output).where(job_output.c.job_run_id.in_(attempts)))
    nothing = dict.fromkeys(("error", "message", "log_tail", "tail_start", "tail_line"))
    connection.execute(update(job_run).where(job_run.c.run_id == run_id).values(**nothing))


def forget_acts(connection: Connection, application: str, schedule: str, run_id: int) -> None:
    """Delete the reasons that people gave for what they did to a run; who did what, and when, stays."""
    of_run = (*of_schedule(act, application, schedule), act.c.run_id == run_id)
    connection.execute(update(act).where(*of_run).values(why=None, effect=None))
