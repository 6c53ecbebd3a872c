"""The history of runs, one run with its attempts, and the runs that people look for."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Row, Text, and_, case, cast, exists, false, func, or_, select, tuple_

from lease.database.dialects import now, seconds_between

from ...states import JobState, RunCause, RunState
from ...text import MASK
from ..policies import read_policies
from ..statements.dialects import among_keys, cause_of_run, same_schedule, unfinished
from ..statements.run import is_late_to_finish
from ..tables import Reader, ScheduleKey, job_output, job_run, present_name, replica, run, schedule
from .causes import Why, sentence
from .names import keys_named, missing_run
from .output import last_lines, tails
from .replicas import names_of
from .why import may_start_at, whys, with_why

_retry, _done = run.alias("later"), job_run.alias("done")


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run; a counted one stands for ``count`` instants up to ``last_scheduled_for``."""

    run_id: int
    application: str
    schedule: str
    scheduled_for: datetime
    last_scheduled_for: datetime | None
    count: int
    cause: RunCause
    retry_of: int | None
    """The run that it tries again."""
    retried_as: int | None
    """The run that has tried it again."""
    backfill: int | None
    """The backfill that requested it."""
    state: RunState
    reason: str | None
    attempt: int
    crashes: int
    """The attempts of its jobs that were abandoned."""
    token: int | None
    holder: str | None
    finish_by: datetime | None
    """By when it should have succeeded (`finish_by` of its schedule)."""
    late_to_finish: bool
    """It has not succeeded by then; of one that was skipped or cancelled, that is not asked."""
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    """From its start to its end, or until now."""
    why: Why | None
    """Why it did not run, or waits."""
    why_text: str | None
    """The same in words."""
    last_output: str | None
    """The last line that the last job of a failed run printed."""

    @property
    def next(self) -> tuple[str, ...]:
        """The commands that tell more of it, or help."""
        match self.state:
            case "failed" | "cancelled" if self.retried_as is None:
                return f"leased logs {self.run_id}", f"leased retry {self.run_id}"
            case "running":
                return f"leased logs {self.run_id} --follow", f"leased cancel {self.run_id}"
            case _:
                return ()

    def in_words(self, written: Callable[[datetime], str]) -> str | None:
        """Why it did not run, waits, or ended as it did; the reason of a cancelled run says more than its cause."""
        if self.why is None or (self.state == "cancelled" and self.reason != "retired"):
            return self.reason
        return sentence(self.why, written)

    @property
    def retries_in_words(self) -> str | None:
        """Which run it tries again, and which tries it again: ``retry of run 5, retried as run 9``."""
        before = None if self.retry_of is None else f"retry of run {self.retry_of}"
        after = None if self.retried_as is None else f"retried as run {self.retried_as}"
        return ", ".join(filter(None, (before, after))) or None


@dataclass(frozen=True, slots=True)
class JobRunLine:
    """An attempt of a job."""

    job: str
    attempt: int
    state: JobState
    token: int
    holder: str
    started_at: datetime
    finished_at: datetime | None
    """Of one whose holder lost its lease: when its work ended, if the holder has said so."""
    seconds: float
    lost_by: str | None
    """Its holder lost the lease: ended, broken, unreachable, suspended or closed."""
    lost_why: str | None
    """The same in words: ``stolen by web-2:17 with token 8``."""
    done: float | None
    total: float | None
    message: str | None
    exit_status: int | None
    exit_signal: int | None
    peak_memory: int | None
    """Bytes: the most that one process of a child's tree had in memory at once."""
    error: str | None
    carried_from: int | None
    """The run that has done it; None if that is this one."""
    release: str | None
    """Which code its replica ran."""
    keeper_pid: int | None
    """The process on the replica's host that started it and ends it; None of one in the replica's own process."""
    progress_at: datetime | None
    renewed_at: datetime | None
    """When its lease was last renewed, if its holder died or lost it."""
    printed_at: datetime | None
    """When the latest of its output was saved, a few seconds after it was printed; None of what was saved at its end."""
    log_tail: str | None
    """The last 8 KiB of what it printed."""
    replica: str | None
    """Its holder for people, ``host:pid``; None if that is not known any more."""


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with all its attempts, in order."""

    run: RunLine
    params: Mapping[str, Any]
    """With `***` for what is secret."""
    jobs: tuple[JobRunLine, ...]
    abandoned: int
    available_at: datetime | None
    requested_by: str | None
    requested_why: str | None
    cancelled_at: datetime | None
    """When it was marked; it ends as soon as its work has."""
    cancelled_by: str | None
    cancelled_why: str | None
    forgotten_at: datetime | None
    """When its params, reasons, errors and output were deleted."""
    forgotten_by: str | None
    replica: str | None
    """The holder of the run for people, ``host:pid``."""
    digest: str | None
    """Of what execution reads of its definition: a replica with another one does not run it."""

    @property
    def state(self) -> RunState:
        return self.run.state

    @property
    def by_job(self) -> Mapping[str, Sequence[JobRunLine]]:
        """The attempts of each job, in order."""
        found: dict[str, list[JobRunLine]] = {}
        for attempt in self.jobs:
            found.setdefault(attempt.job, []).append(attempt)
        return found


def read_runs(
    connection: Connection,
    *,
    limit: int,
    application: str | None = None,
    schedule: str | None = None,
    state: RunState | None = None,
    before: int | None = None,
    also: Sequence[ColumnElement[bool]] = (),
) -> list[RunLine]:
    """Return the latest runs, the newest first: of those requested ``before`` a run, for which ``also`` these hold."""
    # SQLite goes through all runs if they are to come in the order of the key itself, which only few of them have to.
    order = run.c.id + 0 if state in ("pending", "running") else run.c.id
    query = with_why(select(*_RUN_LINE.columns)).order_by(order.desc()).limit(limit).where(*also)
    if before is not None:
        query = query.where(run.c.id < before)
    if application is not None:
        # A cast of text to text changes nothing, but SQLite then does not sort all runs of the application: it reads those
        # of all, from the newest on, until it has found enough.
        query = query.where(cast(run.c.application, Text) == application)
    if schedule is not None:
        query = query.where(_named(connection, schedule, application))
    if state is not None:
        query = query.where(run.c.state == state, *([unfinished()] if state in ("pending", "running") else []))
    rows = connection.execute(query).all()
    printed = last_lines(connection, [row.run_id for row in rows if row.why_state == "failed"])
    return [_line(row, why, printed.get(row.run_id)) for row, why in zip(rows, whys(connection, rows), strict=True)]


def _named(connection: Connection, name: str, application: str | None) -> ColumnElement[bool]:
    """Return the condition that a run is of a schedule of this name. Without `among_keys`: PostgreSQL would go through all
    runs from the newest until it has found enough of these.
    """
    keys = keys_named(connection, name, application, retired=True)
    return or_(false(), *(and_(run.c.application == of, run.c.schedule == key) for of, key in keys))


def read_run(connection: Connection, run_id: int) -> RunDetail:
    """Return a run with its attempts; raises `NotFound`."""
    read = with_why(select(*_RUN_LINE.columns, *_MORE.columns))
    definition = select(schedule.c.definition).where(same_schedule(run)).scalar_subquery().label("definition")
    row = connection.execute(read.add_columns(definition, run.c.params).where(run.c.id == run_id)).one_or_none()
    if row is None:
        raise missing_run(connection, run_id)
    (why,) = whys(connection, [row])
    made = select(*_JOB_LINE.columns, job_run.c.id).where(job_run.c.run_id == run_id).order_by(job_run.c.id)
    jobs = connection.execute(made).all()
    names = names_of(connection, {job.holder for job in jobs} | ({row.holder} if row.holder else set()))
    printed = tails(connection, run_id)
    last = last_lines(connection, [run_id]).get(run_id) if row.why_state == "failed" else None
    return _MORE.read(
        row[len(_RUN_LINE.columns) :],
        run=_line(row, why, last),
        params=_masked(json.loads(row.params), row.definition),
        jobs=tuple(_JOB_LINE.read(job, log_tail=printed.get(job.id), replica=names.get(job.holder)) for job in jobs),
        replica=names.get(row.holder),
        digest=row.why_digest,
    )


def _masked(params: Mapping[str, Any], definition: str) -> Mapping[str, Any]:
    """Return the params of a run as they are shown: without the values of those that are secret now. Where any
    are, one that is not declared now may have been secret, under the name that it had.
    """
    defined = json.loads(definition)
    secrets, declared = defined.get("secrets", ()), defined.get("params", ())
    hidden = {name for name in params if name in secrets or (secrets and name not in declared)}
    return {name: MASK if name in hidden else value for name, value in params.items()}


def _line(row: Row[Any], why: Why | None, last: str | None) -> RunLine:
    return _RUN_LINE.read(row, why=why, why_text=None if why is None else sentence(why), last_output=last)


_of_it = (job_run.c.run_id == run.c.id, job_run.c.state == "abandoned")
_crashes = select(func.count()).select_from(job_run).where(*_of_it).correlate(run).scalar_subquery()
_RUN_LINE = Reader(
    RunLine,
    run,
    run_id=run.c.id,
    schedule=present_name(run),
    cause=cause_of_run,
    retried_as=select(_retry.c.id).where(_retry.c.retry_of == run.c.id).scalar_subquery(),
    crashes=case((run.c.attempt > 1, _crashes), else_=0),
    late_to_finish=is_late_to_finish(),
    seconds=seconds_between(run.c.started_at, func.coalesce(run.c.finished_at, now(), type_=now.type)),
)
_MORE = Reader(RunDetail, run, but=("params", "digest"), available_at=may_start_at())
_finished_at = func.coalesce(job_run.c.work_ended_at, job_run.c.finished_at, type_=now.type)
_done_in = select(_done.c.run_id).where(_done.c.id == job_run.c.carried_from).scalar_subquery()
_run_before = select(run.c.retry_of).where(run.c.id == job_run.c.run_id).scalar_subquery()  # where that one is pruned
_saved_at = select(job_output.c.saved_at).where(job_output.c.job_run_id == job_run.c.id)
_JOB_LINE = Reader(
    JobRunLine,
    job_run,
    but=("log_tail",),
    finished_at=_finished_at,
    seconds=seconds_between(job_run.c.started_at, func.coalesce(_finished_at, now(), type_=now.type)),
    carried_from=case((job_run.c.carried_from.is_not(None), func.coalesce(_done_in, _run_before))),
    printed_at=_saved_at.order_by(job_output.c.start.desc()).limit(1).scalar_subquery(),
)


LOOKED_AT = 20_000
"""Run numbers, or runs of a schedule, that are searched at a time for what no index finds."""
Sought = Literal["pending", "running", "succeeded", "failed", "cancelled", "skipped", "missed", "crashed"]
"""A state of a run; or skipped because it was missed; or of which a process died."""


@dataclass(frozen=True, slots=True)
class RunSearch:
    """Which runs are looked for."""

    state: Sought | None = None
    application: str | None = None
    schedule: str | None = None
    text: str | None = None
    """In the schedule's name, ignoring case."""
    backfill: int | None = None

    @property
    def is_bounded(self) -> bool:
        """No index finds them: a rare state may be millions of runs back."""
        return self.schedule is None and self.backfill is None and bool(self.state or self.application or self.text)


@dataclass(frozen=True, slots=True)
class FoundRuns:
    """Runs, the newest first, and where the next page begins."""

    runs: Sequence[RunLine]
    before: int | None
    """The next page has what was requested before this run; None: there is none."""
    is_partial: bool
    """The search ended before it had found as many as a page has: continue it at ``before``."""


def find_runs(connection: Connection, search: RunSearch, *, before: int | None, limit: int) -> FoundRuns:
    """Return the latest runs of a search; one that no index supports looks at `LOOKED_AT` numbers of runs at most."""
    known = state if (state := search.state) in get_args(RunState) else None
    which, bottom = list[ColumnElement[bool]](), None
    if search.is_bounded and search.application is not None:
        # SQLite would take an index that begins with it, and sort all runs of the application.
        which.append(run.c.application.concat("") == search.application)
    if search.state == "missed":
        which += [run.c.state == "skipped", run.c.reason == "missed"]
    if search.backfill is not None:
        which.append(run.c.backfill == search.backfill)
    if search.text is not None:
        has_text = func.lower(present_name(schedule)).contains(search.text.lower(), autoescape=True)
        named = select(schedule.c.application, schedule.c.name).where(has_text)
        which.append(tuple_(run.c.application, run.c.schedule).in_(named))
    if search.is_bounded:
        bottom = _bottom(connection, before)
        which.append(run.c.id >= (bottom or 0))
    elif search.schedule is not None and search.state is not None:
        bottom = _bottom_of_schedule(connection, search.schedule, search.application, before)
        which += [] if bottom is None else [run.c.id >= bottom]
    if search.state == "crashed":
        which.append(_crashed(bottom, before) if search.is_bounded else _crashed(None, None))
    runs = read_runs(
        connection,
        limit=limit,
        application=None if search.is_bounded else search.application,
        schedule=search.schedule,
        state=known,  # type: ignore[arg-type]
        before=before,
        also=which,
    )
    if len(runs) == limit:
        return FoundRuns(runs, runs[-1].run_id, is_partial=False)
    return FoundRuns(runs, bottom, is_partial=bottom is not None)


def replicas_of(connection: Connection, run_ids: Collection[int]) -> dict[int, str]:
    """Return the replica, ``host:pid``, that made the last attempt of each of these runs, if that is known."""
    of_these = among_keys(job_run.c.run_id, run_ids)
    last = select(func.max(job_run.c.id)).where(of_these).group_by(job_run.c.run_id)
    query = select(job_run.c.run_id, replica.c.host, replica.c.pid).join(replica, replica.c.holder == job_run.c.holder)
    return {of: f"{host}:{pid}" for of, host, pid in connection.execute(query.where(job_run.c.id.in_(last)))}


def zones_of(connection: Connection, run_ids: Collection[int]) -> dict[ScheduleKey, str]:
    """Return the time zones of the schedules of these runs, by application and name."""
    ours = select(run.c.application, run.c.schedule).where(among_keys(run.c.id, run_ids))
    query = select(schedule.c.application, present_name(schedule), schedule.c.definition)
    rows = connection.execute(query.where(tuple_(schedule.c.application, schedule.c.name).in_(ours)))
    return {(of, name): read_policies(definition).timezone for of, name, definition in rows}


def _crashed(bottom: int | None, before: int | None) -> ColumnElement[bool]:
    """Return the condition that an attempt of a run was abandoned, of runs between two numbers if they are given."""
    if bottom is None and before is None:
        return exists().where(job_run.c.run_id == run.c.id, job_run.c.state == "abandoned")
    of, end = job_run.c.run_id, before or 2**63 - 1
    return run.c.id.in_(select(of).where(of >= (bottom or 0), of < end, job_run.c.state == "abandoned"))


def _bottom(connection: Connection, before: int | None) -> int | None:
    """Return the last number that is looked at; None if all that there are will be."""
    newest = select(func.max(run.c.id))
    if before is not None:
        newest = newest.where(run.c.id < before)
    oldest = select(func.min(run.c.id))
    last, first = connection.execute(select(newest.scalar_subquery(), oldest.scalar_subquery())).one()
    bottom = (last or 0) - LOOKED_AT + 1
    return bottom if first is not None and bottom > first else None


def _bottom_of_schedule(connection: Connection, name: str, application: str | None, before: int | None) -> int | None:
    """Return the last run of a schedule that is looked at for a state, which may be rare; None if all will be."""
    newest = select(run.c.id).where(_named(connection, name, application)).order_by(run.c.id.desc())
    if before is not None:
        newest = newest.where(run.c.id < before)
    rows = connection.scalars(newest.offset(LOOKED_AT - 1).limit(2)).all()
    return rows[0] if len(rows) > 1 else None
