"""The ends of attempts and runs.

Their locks come first, in the order schedule, lease, run, job run; what another transaction has
locked is passed over, unless one ``waits`` for it.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Integer, Select, Text, case, exists, func, literal_column, null, select, update

from lease.database.dialects import later, now
from lease.database.held.statement import Statement
from lease.model import Grant

from ...tables import ScheduleKey, job_run, run, schedule
from ..dialects import PENDING, RUNNING, SUCCEEDED, agrees, as_rows, chosen, given, proven, same_schedule, unfinished
from ..requests import placed
from ..run import unless_marked


def lock_schedules(connection: Connection, keys: Collection[ScheduleKey], *, waits: bool) -> dict[ScheduleKey, int]:
    """Lock schedules, on which the other runs of these depend; return how many attempts of each were abandoned."""
    rows = _LOCK_SCHEDULES[waits](connection, {"schedules": as_rows(sorted(keys))})
    return {(application, name): abandoned for application, name, abandoned in rows}


def lock_runs(connection: Connection, runs: Iterable[tuple[int, Grant]], *, waits: bool) -> set[int]:
    """Lock the runs (id, grant) that are running under their grants; return their ids."""
    return _ids(_LOCK_RUNS[waits](connection, {"runs": _proofs(runs)}))


def lock_jobs(connection: Connection, jobs: Iterable[tuple[int, Grant]], *, waits: bool) -> set[int]:
    """Lock the job runs (id, grant) that are running under their grants; return their ids."""
    return _ids(_LOCK_JOBS[waits](connection, {"jobs": _proofs(jobs)}))


def end_runs(connection: Connection, rows: Iterable[Sequence[Any]]) -> dict[int, tuple[str, str | None]]:
    """Record the ends of running runs, or put them back; return the state and the reason of each that was changed.

    Rows are (id, token, holder, state, reason, seconds until one that is put back may start). A marked run ends as
    cancelled, whatever its jobs did meanwhile: a mark that has been acknowledged is never taken back. The reason says
    if all of its work was done by then.
    """
    changed = _END_RUNS(connection, {"ends": as_rows(rows)})
    return {run_id: (state, reason) for run_id, state, reason in changed}


def end_jobs(connection: Connection, rows: Iterable[Sequence[Any]]) -> set[int]:
    """Record how running attempts ended; return the ids of those that were changed. Rows are `ENDED_JOB`."""
    return _ids(_END_JOBS(connection, {"jobs": as_rows(rows)}))


def stop_jobs(connection: Connection, runs: Iterable[tuple[int, Grant]]) -> None:
    """Record that attempts still running under the grants of runs were stopped."""
    _STOP_JOBS(connection, {"runs": _proofs(runs)})


def reset_abandoned(connection: Connection, runs: Iterable[tuple[int, Grant]]) -> None:
    """Reset the counts of abandoned attempts, now that a job of each of these runs has succeeded."""
    _RESET_ABANDONED(connection, {"runs": _proofs(runs)})


def reset_abandoned_of(connection: Connection, schedules: Collection[ScheduleKey]) -> None:
    """Reset the counts of abandoned attempts of locked schedules, now that a run of each has succeeded."""
    _RESET_ABANDONED_OF(connection, {"schedules": as_rows(sorted(schedules))})


def promote(connection: Connection, schedules: Collection[ScheduleKey]) -> set[ScheduleKey]:
    """Make the first run of each schedule that waits for its predecessor due, if no other is unfinished (rule 14);
    return the schedules that have one.

    The schedules must be locked, by an earlier statement: this one must see what those did who had them locked before.
    """
    rows = _PROMOTE(connection, {"schedules": as_rows(sorted(schedules))}) if schedules else ()
    return {(application, name) for application, name in rows}


def _proofs(rows: Iterable[tuple[int, Grant]]) -> str:
    return as_rows((number, grant.token, grant.holder) for number, grant in rows)


def _ids(rows: Iterable[Sequence[Any]]) -> set[int]:
    return {number for (number,) in rows}


ENDED_JOB = {
    "number": int,
    "token": int,
    "holder": str,
    "state": str,
    "error": str,
    "log_tail": str,
    "tail_start": int,
    "tail_line": int,
    "exit_status": int,
    "exit_signal": Integer,
    "peak_memory": int,
}
"""The columns of an ended attempt, in their order: first what proves it."""

_schedules = given("schedules", application=str, name=str)
_runs = given("runs", number=int, token=int, holder=str)
_jobs = given("jobs", number=int, token=int, holder=str)
_ends = given("ends", number=int, token=int, holder=str, state=str, reason=str, wait=float)
_ended = given("jobs", **ENDED_JOB)


def _locking(table: Any, query: Select[Any]) -> dict[bool, Statement]:
    """Return the statements that lock the rows of a table, by whether they wait for locked ones, or skip them."""
    return {
        waits: Statement(query.with_for_update(of=table, key_share=True, skip_locked=not waits))
        for waits in (False, True)
    }


_LOCK_SCHEDULES = _locking(
    schedule,
    select(schedule.c.application, schedule.c.name, schedule.c.abandoned)
    .where(same_schedule(schedule, _schedules))
    .order_by(schedule.c.application, schedule.c.name),
)
_LOCK_RUNS = _locking(run, select(run.c.id).where(*proven(run, _runs)).order_by(run.c.id))
_LOCK_JOBS = _locking(job_run, select(job_run.c.id).where(*proven(job_run, _jobs)).order_by(job_run.c.id))
_put_back = _ends.c.state == PENDING
_all_done = literal_column("'; by then all of its jobs had succeeded'", Text)
_remark = case((_ends.c.state == SUCCEEDED, _all_done), else_=literal_column("''", Text))
_end = {
    "state": _ends.c.state,
    "reason": _ends.c.reason,
    "finished_at": case((_put_back, null()), else_=now()),
    "available_at": case((_put_back, later(now(), func.coalesce(_ends.c.wait, 0.0))), else_=run.c.available_at),
}
_END_RUNS = Statement(
    update(run)
    .where(*proven(run, _ends))
    .values(unless_marked(_end, _remark))
    .returning(run.c.id, run.c.state, run.c.reason)
)
_END_JOBS = Statement(
    update(job_run)
    .where(*proven(job_run, _ended))
    .values(finished_at=now(), **{name: _ended.c[name] for name in list(ENDED_JOB)[3:]})
    .returning(job_run.c.id)
)
_STOP_JOBS = Statement(
    update(job_run)
    .where(
        job_run.c.run_id == _runs.c.number,
        job_run.c.state == RUNNING,
        agrees(job_run.c.token, _runs.c.token),
        agrees(job_run.c.holder, _runs.c.holder),
    )
    .values(state="stopped", finished_at=now())
    .returning(job_run.c.id)
)
_RESET_ABANDONED = Statement(
    update(run).where(*proven(run, _runs), run.c.abandoned > 0).values(abandoned=0).returning(run.c.id)
)
_RESET_ABANDONED_OF = Statement(
    update(schedule).where(same_schedule(schedule, _schedules)).values(abandoned=0).returning(schedule.c.name)
)
_waiting, _other = run.alias("waiting"), run.alias("other")
_first = (
    select(_waiting.c.id)
    .where(
        same_schedule(_waiting, _schedules), unfinished(_waiting), _waiting.c.available_at.is_(None), placed(_waiting)
    )
    .order_by(_waiting.c.scheduled_for, _waiting.c.id)
    .limit(1)
    .scalar_subquery()
)
# `available_at` is set in all runs that do not wait, also in running ones.
_ahead = exists().where(same_schedule(_other, _schedules), unfinished(_other), _other.c.available_at.is_not(None))
_firsts = select(_first).select_from(_schedules).where(~_ahead).scalar_subquery()
_PROMOTE = Statement(
    update(run).where(chosen(run.c.id, _firsts)).values(available_at=now()).returning(run.c.application, run.c.schedule)
)
