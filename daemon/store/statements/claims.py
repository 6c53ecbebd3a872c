"""The statements by which runs are claimed, started and ended, many at once (rule 15).

The rows are given as one parameter (`given`); of what holders write, each row proves its own grant.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Integer, bindparam, case, exists, func, null, or_, select, update

from lease.database.dialects import later, now, seconds_between
from lease.database.held.statement import Statement
from lease.model import Grant
from lease.schema import free_or_stale, lease

from ...states import RunCause
from ..tables import Reader, ScheduleKey, job_run, run, schedule
from . import dialects as sql
from .requests import placed
from .run import is_late, marked, unless_marked

Waiting = Literal["apart", "leases", "slots"]
"""For what the runs of a queue wait: each for its lease, in no queue of theirs or in one; or for the slots of a lock."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that may start, as its row says."""

    id: int
    lease_name: str
    on_last_chance: bool
    digest: str
    available_at: datetime
    slot_of: str | None = None
    """The lock of which its lease is a slot, if it is one."""


@dataclass(frozen=True, slots=True)
class StartedRun:
    """The row of a run that has just been started."""

    id: int
    application: str
    schedule: str
    scheduled_for: datetime
    trigger: str
    lease_name: str
    available_at: datetime
    attempt: int
    params: str
    retry_of: int | None
    origin: int | None
    started_ago: float
    waited: float
    """The seconds since it could have started."""
    traceparent: str | None
    """The span of the request for it."""
    cause: RunCause


def candidates(  # noqa: PLR0917 - who claims what, beside what
    connection: Connection,
    application: str,
    other_digests: Sequence[str],
    holder: str,
    tried: Collection[str],
    limit: int,
    *,
    queue: str | None = None,
    slots: bool = False,
    last_chances: bool = True,
) -> list[Candidate]:
    """Lock runs of one ``queue`` that may start, but for those of ``other_digests``, and return them, the
    longest due first; skip locked ones.

    Runs whose lease is visibly live, or was ``tried``, are left out: they would take the place of
    others; with ``slots`` each has yet to get one, and to be locked (see `lock`). So are runs on their last
    chance, if ``holder`` has one at work, or without ``last_chances``.
    """
    values = {"application": application, "other_digests": other_digests, "limit": limit, "of_holder": holder}
    values |= {"tried": list(tried), "of_queue": queue}  # for those of the statements that ask for them
    waiting: Waiting = "apart" if queue is None else "slots" if slots else "leases"
    rows = _CANDIDATES[waiting, last_chances](connection, values)
    return [Candidate(number, name, bool(chance), digest, at) for number, name, chance, digest, at in rows]


def lock(connection: Connection, runs: Iterable[Candidate], limit: int) -> set[int]:
    """Lock the first ``limit`` of these runs that still may start, and return their ids; skip locked ones."""
    ordered = sql.as_rows((one.id, place, one.digest) for place, one in enumerate(runs))
    return {number for (number,) in _LOCK(connection, {"ordered": ordered, "limit": limit})}


def put_under(connection: Connection, runs: Iterable[tuple[int, str]]) -> None:
    """Write the names of the slots that these pending runs (id, lease) have got."""
    _PUT_UNDER(connection, {"slotted": sql.as_rows(runs)})


def start(connection: Connection, ids: Collection[int], holder: str) -> list[StartedRun]:
    """Mark these pending runs as running under ``holder``'s grants of their leases; return them."""
    rows = _START(connection, {"ids": sql.as_rows([(number,) for number in ids]), "of_holder": holder})
    return list(map(_STARTED.read, rows))


def _finding(waiting: Waiting, *, last_chances: bool) -> Statement:
    apart = or_(~sql.at_last_chance(_of_holder), ~sql.on_last_chance()) if last_chances else ~sql.on_last_chance()
    live = exists().where(lease.c.name == run.c.lease_name, ~free_or_stale())
    under_own_lease = (~live, ~sql.among_given(run.c.lease_name, "tried"))
    found = (
        select(run.c.id, run.c.lease_name, sql.on_last_chance(), run.c.digest, run.c.available_at)
        .where(
            run.c.application == sql.parameter("application"),
            run.c.queue.is_(None) if waiting == "apart" else run.c.queue == sql.parameter("of_queue"),
            sql.pending,
            run.c.available_at <= sql.MOMENT,
            run.c.digest.is_not(None),
            ~sql.among_given(run.c.digest, "other_digests"),
            ~is_late,
            ~marked,
            apart,
            *(() if waiting == "slots" else under_own_lease),
        )
        .order_by(run.c.available_at, run.c.id)
        .limit(bindparam("limit"))
    )
    return Statement(found if waiting == "slots" else found.with_for_update(of=run, skip_locked=True, key_share=True))


_of_holder = sql.parameter("of_holder")
_CANDIDATES = {
    (waiting, last_chances): _finding(waiting, last_chances=last_chances)
    for waiting in get_args(Waiting)
    for last_chances in (True, False)
}
_ordered = sql.given("ordered", number=int, place=Integer, digest=str)
_startable = (sql.agrees(run.c.state, sql.PENDING), run.c.available_at <= sql.MOMENT, ~marked)
_LOCK = Statement(
    select(run.c.id)
    .where(*sql.in_rows(_ordered), sql.agrees(run.c.digest, _ordered.c.digest), *_startable)
    .order_by(_ordered.c.place)
    .limit(bindparam("limit"))
    .with_for_update(of=run, skip_locked=True, key_share=True)
)
_slotted = sql.given("slotted", number=int, lease=str)
_PUT_UNDER = Statement(
    update(run)
    .where(*sql.in_rows(_slotted), sql.agrees(run.c.state, sql.PENDING))
    .values(lease_name=_slotted.c.lease)
    .returning(run.c.id)
)
_started = sql.given("ids", number=int)
_STARTED = Reader(
    StartedRun,
    run,
    started_ago=seconds_between(run.c.started_at, now()),
    waited=seconds_between(run.c.available_at, now()),
    cause=sql.cause_of_run,
)
_START = Statement(
    update(run)
    .where(
        sql.chosen(run.c.id, select(_started.c.number).scalar_subquery()),
        sql.agrees(run.c.state, sql.PENDING),
        lease.c.name == run.c.lease_name,
        sql.agrees(lease.c.holder, _of_holder),
    )
    .values(
        state="running",
        token=lease.c.token,
        holder=lease.c.holder,
        attempt=run.c.attempt + 1,
        claimed_attempt=run.c.attempt + 1,
        started_at=func.coalesce(run.c.started_at, now()),
        reason=null(),
    )
    .returning(*_STARTED.columns)
)


# The ends of attempts and runs
#
# Their locks come first, in the order schedule, lease, run, job run; what another transaction has
# locked is passed over, unless one ``waits`` for it.


def lock_schedules(connection: Connection, keys: Collection[ScheduleKey], *, waits: bool) -> dict[ScheduleKey, int]:
    """Lock schedules, on which the other runs of these depend; return how many attempts of each were abandoned."""
    rows = _LOCK_SCHEDULES[waits](connection, {"schedules": sql.as_rows(sorted(keys))})
    return {(application, name): abandoned for application, name, abandoned in rows}


def lock_runs(connection: Connection, runs: Iterable[tuple[int, Grant]], *, waits: bool) -> set[int]:
    """Lock the runs (id, grant) that are running under their grants; return their ids."""
    return {number for (number,) in _LOCK_RUNS[waits](connection, {"runs": _proofs(runs)})}


def lock_jobs(connection: Connection, jobs: Iterable[tuple[int, Grant]], *, waits: bool) -> set[int]:
    """Lock the job runs (id, grant) that are running under their grants; return their ids."""
    return {number for (number,) in _LOCK_JOBS[waits](connection, {"jobs": _proofs(jobs)})}


def end_runs(connection: Connection, rows: Iterable[Sequence[Any]]) -> dict[int, tuple[str, str | None]]:
    """Record the ends of running runs, or put them back; return the state and the reason of each that was changed.

    Rows are (id, token, holder, state, reason, seconds until one that is put back may start). A marked run ends as
    cancelled, whatever its jobs did meanwhile: a mark that has been acknowledged is never taken back. The reason says
    if all of its work was done by then.
    """
    changed = _END_RUNS(connection, {"ends": sql.as_rows(rows)})
    return {run_id: (state, reason) for run_id, state, reason in changed}


def end_jobs(connection: Connection, rows: Iterable[Sequence[Any]]) -> set[int]:
    """Record how running attempts ended; return the ids of those that were changed. Rows are `ENDED_JOB`."""
    return {number for (number,) in _END_JOBS(connection, {"jobs": sql.as_rows(rows)})}


def stop_jobs(connection: Connection, runs: Iterable[tuple[int, Grant]]) -> None:
    """Record that attempts still running under the grants of runs were stopped."""
    _STOP_JOBS(connection, {"runs": _proofs(runs)})


def reset_abandoned(connection: Connection, runs: Iterable[tuple[int, Grant]]) -> None:
    """Reset the counts of abandoned attempts, now that a job of each of these runs has succeeded."""
    _RESET_ABANDONED(connection, {"runs": _proofs(runs)})


def reset_abandoned_of(connection: Connection, schedules: Collection[ScheduleKey]) -> None:
    """Reset the counts of abandoned attempts of locked schedules, now that a run of each has succeeded."""
    _RESET_ABANDONED_OF(connection, {"schedules": sql.as_rows(sorted(schedules))})


def promote(connection: Connection, schedules: Collection[ScheduleKey]) -> set[ScheduleKey]:
    """Make the first run of each schedule that waits for its predecessor due, if no other is unfinished (rule 14);
    return the schedules that have one.

    The schedules must be locked, by an earlier statement: this one must see what those did who had them locked before.
    """
    rows = _PROMOTE(connection, {"schedules": sql.as_rows(sorted(schedules))}) if schedules else ()
    return {(application, name) for application, name in rows}


def _proofs(rows: Iterable[tuple[int, Grant]]) -> str:
    return sql.as_rows([(number, grant.token, grant.holder) for number, grant in rows])


_RESULT = "state error log_tail tail_start tail_line exit_status exit_signal peak_memory"
ENDED_JOB = {"number": int, **sql.types_of(job_run, f"token holder {_RESULT}")}
"""The columns of an ended attempt, in their order: first what proves it."""

_schedules = sql.given("schedules", application=str, name=str)
_runs = sql.given("runs", number=int, token=int, holder=str)
_jobs = sql.given("jobs", number=int, token=int, holder=str)
_ends = sql.given("ends", number=int, token=int, holder=str, state=str, reason=str, wait=float)
_ended = sql.given("jobs", **ENDED_JOB)


def _locking(table: Any, query: Any) -> dict[bool, Statement]:
    """Return the statements that lock the rows of a table, by whether they wait for locked ones, or skip them."""
    return {
        waits: Statement(query.with_for_update(of=table, key_share=True, skip_locked=not waits))
        for waits in (False, True)
    }


_LOCK_SCHEDULES = _locking(
    schedule,
    select(schedule.c.application, schedule.c.name, schedule.c.abandoned)
    .where(sql.same_schedule(schedule, _schedules))
    .order_by(schedule.c.application, schedule.c.name),
)
_LOCK_RUNS = _locking(run, select(run.c.id).where(*sql.proven(run, _runs)).order_by(run.c.id))
_LOCK_JOBS = _locking(job_run, select(job_run.c.id).where(*sql.proven(job_run, _jobs)).order_by(job_run.c.id))
_put_back = _ends.c.state == sql.PENDING
_all_done = sql.constant("; by then all of its jobs had succeeded")
_remark = case((_ends.c.state == sql.SUCCEEDED, _all_done), else_=sql.constant(""))
_end = {
    "state": _ends.c.state,
    "reason": _ends.c.reason,
    "finished_at": case((_put_back, null()), else_=now()),
    "available_at": case((_put_back, later(now(), func.coalesce(_ends.c.wait, 0.0))), else_=run.c.available_at),
}
_END_RUNS = Statement(
    update(run)
    .where(*sql.proven(run, _ends))
    .values(unless_marked(_end, _remark))
    .returning(run.c.id, run.c.state, run.c.reason)
)
_END_JOBS = Statement(
    update(job_run)
    .where(*sql.proven(job_run, _ended))
    .values(finished_at=now(), **{name: _ended.c[name] for name in _RESULT.split()})
    .returning(job_run.c.id)
)
_STOP_JOBS = Statement(
    update(job_run)
    .where(
        job_run.c.run_id == _runs.c.number,
        job_run.c.state == sql.RUNNING,
        sql.agrees(job_run.c.token, _runs.c.token),
        sql.agrees(job_run.c.holder, _runs.c.holder),
    )
    .values(state="stopped", finished_at=now())
    .returning(job_run.c.id)
)
_RESET_ABANDONED = Statement(
    update(run).where(*sql.proven(run, _runs), run.c.abandoned > 0).values(abandoned=0).returning(run.c.id)
)
_RESET_ABANDONED_OF = Statement(
    update(schedule).where(sql.same_schedule(schedule, _schedules)).values(abandoned=0).returning(schedule.c.name)
)
_waiting, _other = run.alias("waiting"), run.alias("other")
_first = (
    select(_waiting.c.id)
    .where(
        sql.same_schedule(_waiting, _schedules),
        sql.unfinished(_waiting),
        _waiting.c.available_at.is_(None),
        placed(_waiting),
    )
    .order_by(_waiting.c.scheduled_for, _waiting.c.id)
    .limit(1)
    .scalar_subquery()
)
# `available_at` is set in all runs that do not wait, also in running ones.
_ahead = exists().where(
    sql.same_schedule(_other, _schedules), sql.unfinished(_other), _other.c.available_at.is_not(None)
)
_firsts = select(_first).select_from(_schedules).where(~_ahead).scalar_subquery()
_PROMOTE = Statement(
    update(run)
    .where(sql.chosen(run.c.id, _firsts))
    .values(available_at=now())
    .returning(run.c.application, run.c.schedule)
)
