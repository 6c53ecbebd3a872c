"""The retry of runs that are over: which jobs are carried over, and which run; or why there is none (rule 23)."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal, assert_never

from sqlalchemy import Connection, Row

from ..definitions.schedule import read_job_names, read_schedule
from ..errors import CannotAct
from ..scheduling.plan import lease_name, waits_for_predecessor
from ..states import RunState
from ..store import statements
from ..store.notices import WORK, notify
from ..store.tables import ScheduleKey, called
from ..store.views.defined import retirement
from ..store.views.names import Called, missing_run
from ..text import counted, suggestion
from .cancel import ChosenRun
from .requester import refuse_unrecordable
from .selection import Selection


@dataclass(frozen=True, slots=True)
class TriedRun:
    """A run that may be tried again."""

    run_id: int
    schedule: str
    state: RunState
    reason: str | None
    digest: str | None
    retried_as: int | None
    """The run that has tried it again."""
    retried_state: RunState | None
    done: Mapping[str, int]
    """By job that succeeded, the number of that attempt."""
    attempted: Sequence[str]
    """The jobs that were attempted, in order."""
    is_forgotten: bool = False
    """Its parameters were deleted, without which it cannot be done again."""


@dataclass(frozen=True, slots=True)
class CarriedJob:
    """A job that succeeded before, and is not done again."""

    job: str
    attempt: int
    """The number of the attempt that succeeded."""
    position: int
    """Its place in the definition."""


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """What a run that tries another again does, and does not."""

    carried: tuple[CarriedJob, ...]
    jobs: tuple[str, ...]
    """The jobs that it runs."""
    gone: tuple[str, ...]
    """The jobs that the run before has attempted, and that are defined no more."""
    redefined: bool
    """The definition is another than that of the run before."""


@dataclass(frozen=True, slots=True)
class RetriedBefore:
    """A run that tries it again is under way already."""

    run_id: int


@dataclass(frozen=True, slots=True)
class NoRetry:
    """It cannot be tried again, for a reason that is a sentence."""

    why: str


def decide(
    run: TriedRun, jobs: Sequence[str], digest: str | None, from_job: str | None = None
) -> RetryPlan | RetriedBefore | NoRetry:
    """Return the retry of a run by a definition with these ``jobs``, which does all again from ``from_job`` on."""
    if run.retried_as is not None:
        return _retried(run, run.retried_as)
    why = _refused(run, from_job) or _wrong_job(run, jobs, from_job)
    if why is not None:
        return NoRetry(why)
    first = len(jobs) if from_job is None else jobs.index(from_job)
    carried = tuple(CarriedJob(job, run.done[job], at) for at, job in enumerate(jobs[:first]) if job in run.done)
    kept = {one.job for one in carried}
    left = tuple(job for job in jobs if job not in kept)
    if not left:
        return NoRetry(
            f'every job of run {run.run_id} of "{run.schedule}" that is still defined has succeeded; --from JOB '
            "runs some again"
        )
    gone = tuple(job for job in run.attempted if job not in jobs)
    return RetryPlan(carried, left, gone, redefined=run.digest != digest)


def _retried(run: TriedRun, as_run: int) -> RetriedBefore | NoRetry:
    match run.retried_state:
        case "pending" | "running":
            return RetriedBefore(as_run)
        case "succeeded":
            remedy = "to run its jobs once more, retry that one with --from JOB"
        case "failed" | "cancelled" | "skipped" | None:
            remedy = "retry that one"
        case _:
            assert_never(run.retried_state)
    return NoRetry(f"run {run.run_id} was retried as run {as_run} ({run.retried_state}): {remedy}")


def _refused(run: TriedRun, from_job: str | None) -> str | None:
    """Return why a run in this state is not tried again."""
    named = f'run {run.run_id} of "{run.schedule}"'
    if run.is_forgotten:
        return f"{named} was forgotten, and its parameters were deleted; `leased trigger {run.schedule}` requests a new run"
    match run.state:
        case "failed" | "cancelled":
            return None
        case "succeeded":
            return None if from_job is not None else f"{named} has succeeded; to run its jobs once more, use --from JOB"
        case "pending" | "running":
            return f"{named} is {run.state}; wait until it ends, or cancel it first"
        case "skipped":
            return f"{named} was skipped ({run.reason}), so nothing ran; `leased trigger {run.schedule}` requests a run"
        case _:
            assert_never(run.state)


def _wrong_job(run: TriedRun, jobs: Sequence[str], from_job: str | None) -> str | None:
    """Return why a retry cannot begin with this job."""
    if from_job is None:
        return None
    if from_job not in jobs:
        return f'"{run.schedule}" has no job "{from_job}"; {suggestion(from_job, jobs)}'
    missing = next((job for job in jobs[: jobs.index(from_job)] if job not in run.done), None)
    if missing is None:
        return None
    return (
        f'job "{missing}", which comes before "{from_job}", has not succeeded in run {run.run_id} of '
        f'"{run.schedule}"; retry it from "{missing}" on'
    )


@dataclass(frozen=True, slots=True)
class Retry:
    """A run that tries another one again."""

    run_id: int
    application: str
    schedule: str
    scheduled_for: datetime
    cause: Literal["retry"]
    retry_of: int
    state: RunState
    waits: bool
    """It waits for an earlier run of its schedule."""
    already: bool
    """It was there before, and nothing was written."""
    requested_by: str
    requested_why: str | None
    carried: Sequence[str]
    """The jobs that were done before, and are not done again."""
    jobs: Sequence[str] | None
    """The jobs that it runs; None of one that was there before."""
    gone: Sequence[str]
    """The jobs that the run before has attempted, and that are defined no more: they are left out."""
    redefined: bool
    """It uses the present definition, which differs from that of the run before."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A run as it was found under the lock of its schedule, and what is to become of it."""

    row: Row[Any]
    schedule: Row[Any]
    plan: RetryPlan | RetriedBefore | NoRetry


def retry(
    connection: Connection, run_id: int, *, requested_by: str, why: str | None = None, from_job: str | None = None
) -> Retry:
    """Write a run that tries another one again which has failed or was cancelled; with ``from_job`` also one that
    succeeded. Replicas hear of it with the commit.

    It has the parameters, the instant and the idempotency keys of that run, uses the present definition of its
    schedule, and waits behind unfinished runs. Jobs that are done are carried over, with ``from_job`` those
    before it. A run is tried again once: a second call is told of the first one's run, and writes nothing.

    Raises `NotFound`, `CannotAct`, and `NotRecordable` for a name or reason that cannot be kept.
    """
    refuse_unrecordable(requested_by, why)
    one = plan_retry(connection, run_id, from_job, lock=True)
    match one.plan:
        case NoRetry():
            raise CannotAct(one.plan.why)
        case RetriedBefore():
            return _told(connection, one, one.plan.run_id, None)
        case RetryPlan():
            made = write_retries(connection, [one], by=requested_by, why=why)[run_id]
            of = {"application": one.row.application, "schedule": one.row.schedule, "run_id": run_id}
            statements.acts.record(connection, "retry", by=requested_by, why=why, effect=f"as run {made}", **of)
            return _told(connection, one, made, one.plan)
        case _:
            assert_never(one.plan)


def plan_retry(connection: Connection, run_id: int, from_job: str | None = None, *, lock: bool = False) -> Planned:
    """Return what a retry comes to now; nothing is written. Raises `NotFound`. ``lock`` is for who writes it next."""
    row = statements.run.read(connection, run_id)
    found = row and plan_retries(connection, {(row.application, row.schedule)}, [run_id], from_job=from_job, lock=lock)
    if not found:  # it was never there, or is pruned by now
        raise missing_run(connection, run_id)
    return found[0]


def plan_retries(
    connection: Connection,
    schedules: Collection[ScheduleKey],
    ids: Collection[int],
    *,
    from_job: str | None = None,
    lock: bool = True,
) -> list[Planned]:
    """Return what is to become of runs of these schedules, by id, and ``lock`` both; without those being pruned."""
    locked: dict[ScheduleKey, Row[Any]] = {}
    for application, keys in groupby(sorted(schedules), key=itemgetter(0)):
        names = [name for _, name in keys]
        rows = statements.schedule.of_application(connection, application, lock=lock, names=names)
        locked |= {(application, row.name): row for row in rows}
    jobs = {key: read_job_names(row.definition) for key, row in locked.items()}
    attempts: dict[int, list[Row[Any]]] = defaultdict(list)
    for attempt in statements.retries.read_attempts(connection, ids):
        attempts[attempt.run_id].append(attempt)
    found = []
    for row in statements.retries.read_tried(connection, ids, lock=lock):
        schedule, earlier = locked[row.application, row.schedule], attempts[row.id]
        tried = TriedRun(
            *(row.id, called(schedule), row.state, row.reason, row.digest, row.retried_as, row.retried_state),
            done={one.job: one.id for one in earlier if one.state == "succeeded"},
            attempted=tuple(dict.fromkeys(one.job for one in earlier if one.state != "not started")),
            is_forgotten=row.forgotten_at is not None,
        )
        plan = decide(tried, jobs[row.application, row.schedule], schedule.run_digest, from_job)
        if isinstance(plan, RetryPlan) and schedule.retired_at is not None:
            how = retirement(schedule.retired_at, schedule.retired_by)
            plan = NoRetry(f'the schedule "{called(schedule)}" was {how}; define it again to retry run {row.id}')
        found.append(Planned(row, schedule, plan))
    return found


def write_retries(
    connection: Connection, planned: Iterable[Planned], *, by: str, why: str | None, backfill: int | None = None
) -> Mapping[int, int]:
    """Write the retries that are planned, of schedules that are locked; return the new runs by those that they try
    again. Replicas hear of them with the commit. Those of a ``backfill`` wait until it is their turn.
    """
    to_make = [(one, one.plan) for one in planned if isinstance(one.plan, RetryPlan)]
    of = {(one.row.application, one.row.schedule): one.schedule for one, _ in to_make}
    schedules = {key: read_schedule(row.definition) for key, row in of.items()}
    leases = {key: lease_name(key[0], schedule) for key, schedule in schedules.items()}
    rows = []
    for one, _ in to_make:
        key = one.row.application, one.row.schedule
        lease, waits = leases[key], waits_for_predecessor(schedules[key].overlap)
        rows.append((one.row.id, lease.base, lease.queue, waits, one.schedule.run_digest))
    made = statements.retries.add(connection, rows, by=by, why=why, backfill=backfill)
    carried = [(made[one.row.id], job.attempt, job.position) for one, plan in to_make for job in plan.carried]
    statements.retries.carry(connection, carried)
    for key, lease in leases.items():
        if lease.per_run:
            own = [made[one.row.id] for one, _ in to_make if (one.row.application, one.row.schedule) == key]
            statements.run.name_own_leases(connection, own, lease.base)
    statements.claims.promote(connection, of.keys())
    for application in sorted({application for application, _ in of}):
        notify(connection, application, WORK)
    return made


def _told(connection: Connection, one: Planned, run_id: int, plan: RetryPlan | None) -> Retry:
    """Return the run that tries another one again; without a ``plan`` it was there before."""
    row = statements.run.read(connection, run_id)
    assert row is not None  # noqa: S101 - its schedule is locked
    return Retry(
        *(run_id, row.application, called(one.schedule), row.scheduled_for, "retry", one.row.id, row.state),
        waits=row.available_at is None,
        already=plan is None,
        requested_by=row.requested_by,
        requested_why=row.requested_why,
        carried=statements.retries.read_carried(connection, run_id),
        jobs=plan.jobs if plan else None,
        gone=plan.gone if plan else (),
        redefined=row.digest != one.row.digest,
    )


RetryOutcome = Literal["retried", "already", "left out"]
"""What became of a run. already: it was retried meanwhile; left out: `why` says for what reason."""


@dataclass(frozen=True, slots=True)
class RetriedRun(ChosenRun):
    """A run that failed, and what its retry came to, or would come to."""

    outcome: RetryOutcome
    retried_as: int | None
    """The run that tries it again."""
    why: str | None
    """Why it was left out."""


def find_failed(connection: Connection, selected: Selection, within: float) -> list[RetriedRun]:
    """Return the runs that failed in the last ``within`` seconds and were not retried, and what a retry would do. Each
    is an occurrence of its own: that its schedule has succeeded since does not make up for it.
    """
    schedules = selected.schedules(connection, retired=False)
    found = statements.retries.find_failed(connection, schedules, within)
    ids = [row.id for row in found]
    keys = {(row.application, row.schedule) for row in found}
    return [_outcome(one, {}) for one in plan_retries(connection, keys, ids, lock=False)]


def retry_many(
    connection: Connection, runs: Sequence[ChosenRun], *, requested_by: str, why: str | None = None
) -> list[RetriedRun]:
    """Try these runs again, each once, in this transaction; see `retry`. Return what became of each.

    Raises `NotRecordable` for a name or reason that cannot be kept.
    """
    refuse_unrecordable(requested_by, why)
    schedules = set(Called(connection).keys(run.named for run in runs))
    planned = plan_retries(connection, schedules, [run.run_id for run in runs])
    made = write_retries(connection, planned, by=requested_by, why=why)
    done = [_outcome(one, made) for one in planned]
    counts = Counter((one.row.application, one.row.schedule) for one in planned if one.row.id in made)
    effects = [(*key, counted(count, "failed run")) for key, count in counts.items()]
    at = statements.schedule.database_time(connection)
    statements.acts.record_of_each(connection, "retry", effects, at=at, by=requested_by, why=why)
    return done


def _outcome(one: Planned, made: Mapping[int, int]) -> RetriedRun:
    row = one.row
    done: tuple[RetryOutcome, int | None, str | None]
    match one.plan:
        case RetryPlan():
            done = "retried", made.get(row.id), None
        case RetriedBefore(run_id):
            done = "already", run_id, None
        case NoRetry(why):
            done = "left out" if row.retried_as is None else "already", row.retried_as, why
        case _:
            assert_never(one.plan)
    return RetriedRun(row.id, row.application, called(one.schedule), row.scheduled_for, row.state, *done)
