"""The transactions of a held run: a job starts, a job ends, what is noted alongside, and the run ends (rules 14 and 15);
and their results: done, already done, marked, passed over, or not ours (rule 10).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import Connection

import lease.statements
from lease.model import Grant
from lease.waiters import Waiters

from ...definitions.values.targets import Target
from ...errors import DaemonError
from ...jobs.processes.identity import ProcessIdentity
from ...jobs.reports import LONGEST_ERROR, LONGEST_MESSAGE, Outcome, Piece, Progress
from ...scheduling.telling import Told, write
from ...states import UNFINISHED, DeliveryKind, EndState, JobState, RunState
from ...store import statements
from ...store.tables import ScheduleKey
from ..claim import ClaimedRun

# Their results, and the values of an ended job


class NothingWritten(DaemonError):
    """The grant is in force, but the rows are not as it left them.

    Raised, it rolls the transaction back. As the answer to one write of a set it fails that one alone.
    """


@dataclass(frozen=True, slots=True)
class Done:
    waiting: Waiters = ()
    """The clients that wait for the lease: notify after the commit (rule 15)."""
    cancelled: str | None = None
    """The reason, if the run was marked: it has ended as cancelled instead (rule 23)."""
    promoted: bool = field(default=False, compare=False)
    """The run behind it may start: notify after the commit (rule 24)."""


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """This very attempt wrote it before, and the answer was lost."""

    state: RunState | JobState
    cancelled: str | None = None
    """As in `Done`."""


@dataclass(frozen=True, slots=True)
class Marked:
    """The run is marked as cancelled: no job of it may start (rule 23)."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A row of it is locked by another transaction, and nothing was written; try again."""


@dataclass(frozen=True, slots=True)
class NotOurs:
    """The grant has ended, and nothing was written."""

    who: str
    """A sentence that says who has the run now."""


@dataclass(frozen=True, slots=True)
class EndedJob:
    job_run_id: int
    outcome: Outcome


def require_one_row(changed: int, run_id: int, what: str) -> None:
    if changed != 1:
        raise NothingWritten(f"run {run_id}: {what} should have changed one row but changed {changed}")


def not_ours(connection: Connection, run_id: int, grant: Grant) -> NotOurs:
    """Return who has the run now that the grant has ended."""
    row = statements.run.read(connection, run_id)
    record = lease.statements.reading([grant.name])(connection).get(grant.name)
    if row is None:
        return NotOurs(f"run {run_id} no longer exists")
    if row.state == "running" and (row.token, row.holder) != (grant.token, grant.holder):
        label = record.label if record is not None and record.holder == row.holder else None
        return NotOurs(f"run {run_id} is running under token {row.token}, held by {label or row.holder}")
    if record is not None and record.holder is not None:
        return NotOurs(
            f"the lease {grant.name!r} has token {record.token} and is held by {record.label or record.holder}; "
            f"run {run_id} is {row.state}"
        )
    return NotOurs(f"the grant with token {grant.token} has ended; run {run_id} is {row.state}")


def job_run_state(outcome: Outcome) -> JobState:
    """Return the state to write; one that lost its lease but may still write, or that ran nothing, was stopped."""
    match outcome.state:
        case "lost" | "not run" | "no room":
            return "stopped"
        case state:
            return state


def job_run_row(job: EndedJob, grant: Grant) -> tuple[Any, ...]:
    """Return the end of an attempt under a grant, as `statements.claims.end_jobs` takes it."""
    state = job_run_state(job.outcome)
    proof = {"number": job.job_run_id, "token": grant.token, "holder": grant.holder, "state": state}
    values = proof | job_run_values(job.outcome)
    return tuple([values[name] for name in statements.claims.ENDED_JOB])


def job_run_values(outcome: Outcome) -> dict[str, Any]:
    """Return the columns of `job_run` that an outcome sets, beside the state."""
    tail = outcome.tail
    return {
        "error": truncate_for_db(outcome.error, LONGEST_ERROR),
        "log_tail": None if tail is None else tail.text,
        "tail_start": None if tail is None else tail.start,
        "tail_line": None if tail is None else tail.line,
        "exit_status": outcome.status,
        "exit_signal": outcome.signal,
        "peak_memory": outcome.peak_memory,
    }


def truncate_for_db(text: str | None, most: int) -> str | None:
    """Return the last ``most`` characters of a text, without those that a database refuses."""
    if text is None:
        return None
    return text[-most:].encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


Answer = TypeVar("Answer")


# The transactions


@dataclass(frozen=True, slots=True)
class RunWrite(Generic[Answer]):
    """What is to be written of a run under its grant, and what is answered."""

    claimed: ClaimedRun

    @property
    def grant(self) -> Grant:
        return self.claimed.grant


@dataclass(frozen=True, slots=True)
class StartJob(RunWrite[int | NotOurs | Marked]):
    """The start of attempt ``attempt`` of a job, which is answered with the id of its job run."""

    job: str
    position: int
    attempt: int


Started = int | NotOurs | Marked | PassedOver | NothingWritten
"""The id of the job run, or why there is none."""


def start_jobs(connection: Connection, starts: Sequence[StartJob], *, patience: float | None) -> list[Started]:
    """Record the starts of attempts, at most one of each run; return what became of each, in their order.

    Waits for no row; with ``patience`` it waits for the leases, up to so many seconds for each.
    """
    if patience is not None:
        lease.statements.hold(connection, [start.grant for start in starts], lock_wait=patience)
    rows = [
        (start.claimed.run_id, start.grant.token, start.grant.holder, start.job, start.position, start.attempt)
        for start in starts
    ]
    begun = statements.job_run.start_jobs(connection, rows)
    return [begun.get(start.claimed.run_id) or _not_begun(connection, start) for start in starts]


def _not_begun(connection: Connection, start: StartJob) -> Started:
    claimed = start.claimed
    if not lease.statements.in_force(connection, start.grant):
        return not_ours(connection, claimed.run_id, claimed.grant)
    before = statements.job_run.find_started(connection, claimed.run_id, claimed.grant, start.job, start.attempt)
    if before is not None:  # by this very attempt, whose answer was lost
        return before
    row = statements.run.read(connection, claimed.run_id)
    if row is not None and row.cancelled_at is not None:
        return Marked()
    if statements.job_run.is_recorded(connection, claimed.run_id, start.job, start.attempt):
        return NothingWritten(f'run {claimed.run_id}: attempt {start.attempt} of job "{start.job}" already exists')
    return PassedOver()


@dataclass(frozen=True, slots=True)
class FinishJob(RunWrite[Done | AlreadyDone | NotOurs]):
    """The end of an attempt after which its run goes on."""

    job: EndedJob
    targets: Sequence[Target] = ()
    """Who is told if it stalled."""


Ended = Done | AlreadyDone | NotOurs | PassedOver | NothingWritten


def finish_jobs(connection: Connection, ends: Sequence[FinishJob], *, patience: float | None) -> list[Ended]:
    """Record the ends of attempts, at most one of each run; return what became of each, in their order.

    Waits for no row; with ``patience`` it waits, up to so many seconds for each lease.
    """
    held = lease.statements.hold(connection, [end.grant for end in ends], lock_wait=patience)
    ours = [end for end in ends if end.grant in held]
    jobs = [(end.job.job_run_id, end.grant) for end in ours]
    free = statements.claims.lock_jobs(connection, jobs, waits=patience is not None) if jobs else set()
    proven = [end for end in ours if end.job.job_run_id in free]
    if succeeded := [(end.claimed.run_id, end.grant) for end in proven if end.job.outcome.state == "succeeded"]:
        statements.claims.reset_abandoned(connection, succeeded)
    rows = [job_run_row(end.job, end.grant) for end in proven]
    ended = statements.claims.end_jobs(connection, rows) if rows else set()
    for end in proven:
        if end.job.outcome.stalled and end.job.job_run_id in ended:
            told = Told("run.stalled", end.claimed.schedule, end.claimed.run_id)
            write(connection, end.claimed.application, [(told, end.targets)])
    return [Done() if end.job.job_run_id in ended else _job_unwritten(connection, end, held) for end in ends]


def _job_unwritten(connection: Connection, end: FinishJob, held: set[Grant]) -> Ended:
    run_id, grant, number = end.claimed.run_id, end.grant, end.job.job_run_id
    if grant not in held and not lease.statements.in_force(connection, grant):
        return not_ours(connection, run_id, grant)
    before = statements.job_run.read(connection, number)
    if before is None or (before.token, before.holder) != (grant.token, grant.holder):
        return NothingWritten(f"run {run_id} has no job run {number} under token {grant.token}")
    return PassedOver() if before.state == "running" else AlreadyDone(before.state)


PATIENCE = 1.5
"""Seconds that a write waits by itself for transactions that are fenced with its grant."""


def record_keeper(
    connection: Connection, claimed: ClaimedRun, job_run_id: int, keeper: ProcessIdentity
) -> Done | NotOurs:
    """Record the keeper of a child, before the child runs (rule 18)."""
    if not lease.statements.hold(connection, [claimed.grant], lock_wait=PATIENCE):
        return not_ours(connection, claimed.run_id, claimed.grant)
    values = {"keeper_pid": keeper.pid, "keeper_start": keeper.start_time}
    changed = statements.job_run.leave_word(connection, job_run_id, claimed.grant, values)
    require_one_row(changed, claimed.run_id, f"the keeper of job run {job_run_id}")
    return Done()


def save_progress(connection: Connection, holder: str, progress: Mapping[int, Progress]) -> None:
    """Record the progress of jobs that are not over, and still the holder's."""
    for job_run_id, latest in sorted(progress.items()):
        message = truncate_for_db(latest.message, LONGEST_MESSAGE)
        values = {"done": latest.done, "total": latest.total, "message": message}
        statements.job_run.set_progress(connection, job_run_id, holder, values)


def save_output(connection: Connection, holder: str, pieces: Mapping[int, Piece]) -> frozenset[int]:
    """Save what jobs printed, all of it in one statement; return the job runs that are over or no longer the holder's."""
    if not pieces:
        return frozenset()
    rows = [
        {"number": job_run_id, "begins": piece.start, "lines_before": piece.line, "printed": piece.text}
        for job_run_id, piece in sorted(pieces.items())
    ]
    refused = statements.job_run.save_output(connection, holder, rows)
    surplus = {number: piece.keep_from for number, piece in pieces.items() if number not in refused}
    statements.job_run.delete_output(connection, {n: start for n, start in surplus.items() if start is not None})
    return refused


@dataclass(frozen=True, slots=True)
class EndRun(RunWrite[Done | AlreadyDone | NotOurs]):
    """The end of a run, of its lease, and of its last attempt, if there is one.

    A state other than succeeded needs a reason. A ``pending`` one is put back for ``wait`` seconds, in
    which it holds no lease. A run that is marked ends as cancelled instead (rule 23).
    """

    state: EndState | Literal["pending"]
    reason: str | None = None
    job: EndedJob | None = None
    not_started: Sequence[tuple[str, int]] = ()
    """The jobs (name, position) that are left out."""
    wait: float = 0.0
    targets: Sequence[Target] = ()
    """Who is told of it."""

    @property
    def schedule(self) -> ScheduleKey:
        return self.claimed.application, self.claimed.schedule


def leave_word(connection: Connection, end: EndRun) -> Done | NotOurs:
    """Record how an attempt must end that only the end of this process can end (rules 9 and 25).

    The replica that then settles the run ends the attempt as failed, and the run too if there is a ``reason``.
    """
    run_id, grant, job = end.claimed.run_id, end.grant, end.job
    if not lease.statements.hold(connection, [grant], lock_wait=PATIENCE):
        return not_ours(connection, run_id, grant)
    statements.run.leave_word(connection, run_id, grant, end.wait, truncate_for_db(end.reason, LONGEST_ERROR))
    if job is not None:
        changed = statements.job_run.leave_word(connection, job.job_run_id, grant, job_run_values(job.outcome))
        require_one_row(changed, run_id, f"the message about job run {job.job_run_id}")
    if end.not_started:
        statements.job_run.add_not_started(connection, run_id, grant, end.not_started)
    return Done()


def end_runs(connection: Connection, ends: Sequence[EndRun], *, patience: float | None) -> list[Ended]:
    """Write the ends of runs; return what became of each, in their order.

    Waits for no row; with ``patience`` it waits for all of them, but no longer than so many seconds for
    transactions that are fenced with these grants.
    """
    waits = patience is not None
    schedules = statements.claims.lock_schedules(connection, {end.schedule for end in ends}, waits=waits)
    free = [end for end in ends if end.schedule in schedules]
    granted = lease.statements.lock(connection, [end.grant for end in free], lock_wait=patience)
    proven = _proven(connection, [end for end in free if end.grant in granted], waits=waits)
    written = _write(connection, proven)
    abandoned = {key for key, number in schedules.items() if number}
    if done_well := abandoned & {end.schedule for end in proven if end.state == "succeeded"}:
        statements.claims.reset_abandoned_of(connection, done_well)
    promoted = statements.claims.promote(connection, {end.schedule for end in proven})
    done = {end.grant: replace(written[end.grant], promoted=end.schedule in promoted) for end in proven}
    return [
        done.get(end.grant)
        or (_unwritten(connection, end, locked=end.grant in granted) if end.schedule in schedules else PassedOver())
        for end in ends
    ]


def _proven(connection: Connection, held: Sequence[EndRun], *, waits: bool) -> list[EndRun]:
    """Return those whose run and attempt are at work under the grant, and locked now."""
    if not held:
        return []
    runs = statements.claims.lock_runs(connection, [(end.claimed.run_id, end.grant) for end in held], waits=waits)
    of_job = [(end.job.job_run_id, end.grant) for end in held if end.job is not None and end.claimed.run_id in runs]
    jobs = statements.claims.lock_jobs(connection, of_job, waits=waits) if of_job else set()
    return [end for end in held if end.claimed.run_id in runs and (end.job is None or end.job.job_run_id in jobs)]


def _write(connection: Connection, proven: Sequence[EndRun]) -> dict[Grant, Done]:
    """Write all of them: leases, runs and attempts, each of exactly these."""
    if not proven:
        return {}
    released = lease.statements.end(connection, [end.grant for end in proven])
    written = statements.claims.end_runs(connection, [_row(end) for end in proven])
    jobs = [job_run_row(end.job, end.grant) for end in proven if end.job is not None]
    ended = statements.claims.end_jobs(connection, jobs) if jobs else set()
    if (len(released), len(written), len(ended)) != (len(proven), len(proven), len(jobs)):
        numbers = ", ".join(str(end.claimed.run_id) for end in proven)
        raise NothingWritten(f"the ends of runs {numbers} changed other rows than those that had been locked for them")
    if without := [(end.claimed.run_id, end.grant) for end in proven if end.job is None]:
        # An attempt that never ran may be recorded as running: the answer to its start was lost.
        statements.claims.stop_jobs(connection, without)
    for end in proven:
        if end.not_started:
            statements.job_run.add_not_started(connection, end.claimed.run_id, end.grant, end.not_started)
    if asked := [end for end in proven if end.targets]:
        _tell(connection, asked, written)
    cancelled = {run_id: reason for run_id, (state, reason) in written.items() if state == "cancelled"}
    return {end.grant: Done(released[end.grant], cancelled.get(end.claimed.run_id)) for end in proven}


def _tell(connection: Connection, ends: Sequence[EndRun], written: Mapping[int, tuple[str, str | None]]) -> None:
    """Write the messages about these ends; there is none about a cancelled run."""
    told: list[tuple[Told, Sequence[Target]]] = []
    for end in ends:
        (application, key), run_id = end.schedule, end.claimed.run_id
        kinds: list[DeliveryKind] = ["run.stalled"] if end.job is not None and end.job.outcome.stalled else []
        match written[run_id][0]:
            case "failed":
                kinds += ["run.failed", "ping.fail"]
            case "succeeded":
                asks = any("schedule.recovered" in target.on for target in end.targets)
                if asks and statements.delivery.has_failed_before(connection, application, key, run_id):
                    kinds.append("schedule.recovered")
                kinds.append("ping.success")
            case _:  # it goes on, or was cancelled
                pass
        told += ((Told(kind, key, run_id), end.targets) for kind in kinds)
    write(connection, ends[0].claimed.application, told)  # a replica has one


def _row(end: EndRun) -> tuple[int, int, str, str, str | None, float]:
    reason = truncate_for_db(end.reason, LONGEST_ERROR)
    return end.claimed.run_id, end.grant.token, end.grant.holder, end.state, reason, end.wait


def _unwritten(connection: Connection, end: EndRun, *, locked: bool) -> Ended:
    """Return why nothing was written. The schedule is locked: its other runs depend on this one."""
    claimed, grant = end.claimed, end.grant
    if not locked and lease.statements.in_force(connection, grant):
        return PassedOver()
    row = statements.run.read(connection, claimed.run_id)
    ours = row is not None and (row.token, row.holder) == (grant.token, grant.holder)
    if not locked:
        if row is not None and ours and (row.state == end.state or row.state not in UNFINISHED):
            return AlreadyDone(row.state, row.reason if row.state == "cancelled" else None)
        return not_ours(connection, claimed.run_id, grant)
    if row is None or not ours or row.state != "running":
        return NothingWritten(f"run {claimed.run_id} is not running under token {grant.token} of its lease")
    if end.job is not None:
        job, number = statements.job_run.read(connection, end.job.job_run_id), end.job.job_run_id
        if job is None or (job.state, job.token, job.holder) != ("running", grant.token, grant.holder):
            return NothingWritten(f"run {claimed.run_id}: job run {number} is not running under token {grant.token}")
    return PassedOver()


Write = StartJob | FinishJob | EndRun


def write_set(connection: Connection, writes: Sequence[RunWrite[Any]], *, patience: float | None = None) -> list[Any]:
    """Write these, of which no two are of one run, in this transaction; return what became of each.

    Waits for no row that another transaction has locked, and answers `PassedOver`; with ``patience`` it
    waits, up to so many seconds for transactions that are fenced with these grants.
    """
    answers: dict[int, Any] = {}
    for kind, written in ((EndRun, end_runs), (FinishJob, finish_jobs), (StartJob, start_jobs)):
        these = [(place, write) for place, write in enumerate(writes) if isinstance(write, kind)]
        if these:
            of_kind: Any = written
            became = of_kind(connection, [write for _, write in these], patience=patience)
            answers |= {place: answer for (place, _), answer in zip(these, became, strict=True)}
    return [answers[place] for place in range(len(writes))]
