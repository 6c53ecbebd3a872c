"""Why a run is as it is: one sentence, its evidence, and what to do; `why_schedule` says the same of a schedule."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection

from lease.durations import format_duration

from ..states import MOST_ABANDONED
from ..store.statements.schedule import database_time
from ..store.tables import ScheduleKey
from ..store.views import causes
from ..store.views.defined import Living, StoredSchedule, read_defined, read_living
from ..store.views.history import RunDetail, read_run
from ..store.views.names import keys_named
from ..store.views.output import last_lines
from ..store.views.overview import RunningRun, read_running
from ..store.views.problems import has_run, recorded, silence, stuck
from ..store.views.usual import Usual, read_usual, usually
from ..text import ago, counted, last_line, lasted, listed, number, shortened, when

_Decided = Literal["retired", "not active", "disabled", "paused"]
_Impossible = Literal["no replica", "no definition"]
_Begun = Literal["stuck", "silent", "late", "late to finish", "running", "long", "waiting"]
_Between = Literal["failing", "skipped", "on request", "ended", "excluded", "due"]
_Over = Literal["succeeded", "failed", "abandoned", "cancelled"]
State = Literal[_Decided, _Impossible, _Begun, _Between, _Over]
"""What is so. Of a schedule, the first of those that keep it from running; of a run, its state, and what is wrong."""


Facts = Iterable[tuple[str, str | None]]
"""Of each fact what it is about, and its text, if there is any."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact behind the sentence."""

    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is so, and what to do."""

    state: State
    text: str
    since: datetime | None = None
    """Since when, if that is known."""
    until: datetime | None = None
    """When it changes without anybody's help: the next scheduled time, the end of a pause, the next attempt."""
    next: tuple[str, ...] = ()
    """The commands that tell more, or help."""

    def about(self, application: str, schedule: str, run_id: int | None, facts: Facts, now: datetime) -> "Explanation":
        """Return it with what it is about, and the facts behind it that there are."""
        items = tuple(Evidence(what, text) for what, text in facts if text)
        said = (self.state, self.text, self.since, self.until, self.next)
        return Explanation(now, application, schedule, run_id, *said, items)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer of `leased why --json`."""

    database_time: datetime
    application: str
    schedule: str
    run_id: int | None
    """None: it is about the schedule."""
    state: State
    text: str
    since: datetime | None
    until: datetime | None
    next: tuple[str, ...]
    items: tuple[Evidence, ...]
    """The facts behind the sentence; the rest is said of a `Sentence`."""


@dataclass(frozen=True, slots=True)
class Moments:
    """How instants are written: by the clock, and how far away."""

    now: datetime
    written: Callable[[datetime], str] = when

    def __call__(self, moment: datetime) -> str:
        """Return a moment as text: ``Sun 02:00 (3h ago)``."""
        return f"{self.written(moment)} ({self.ago(moment)})"

    def back(self, seconds: float) -> datetime:
        return self.now - timedelta(seconds=seconds)

    def ago(self, moment: datetime) -> str:
        """Return how far away a moment is: ``3h ago``, ``in 5m``."""
        return ago((self.now - moment).total_seconds())


@dataclass(frozen=True, slots=True)
class SaidOfRun:
    """What is read of a run."""

    detail: RunDetail
    defined: StoredSchedule
    """Its schedule."""
    living: Sequence[Living]
    running: Sequence[RunningRun]
    """All that its application runs."""
    usual: Mapping[ScheduleKey, Usual]
    """Of the schedules that run, and of its own."""
    last_output: str | None

    @property
    def at_work(self) -> RunningRun | None:
        """It as a running one."""
        return next((one for one in self.running if one.run_id == self.detail.run.run_id), None)


def read_why_run(connection: Connection, run_id: int, moments: Moments | None = None) -> Explanation:
    """Return why a run is as it is; raises `NotFound`."""
    facts = read_said_of_run(connection, run_id)
    return explained(facts, moments or Moments(database_time(connection)))


def read_said_of_run(connection: Connection, run_id: int) -> SaidOfRun:
    """Return what is read of a run to explain it; raises `NotFound`."""
    detail = read_run(connection, run_id)
    application, name = detail.run.application, detail.run.schedule
    (key,) = keys_named(connection, name, application, retired=True)
    running = read_running(connection, application)
    schedules = {(application, name), *((one.application, one.schedule) for one in running)}
    return SaidOfRun(
        detail,
        read_defined(connection, key),
        read_living(connection, application),
        running,
        read_usual(connection, schedules),
        last_lines(connection, [run_id]).get(run_id),
    )


def explained(facts: SaidOfRun, at: Moments) -> Explanation:
    run = facts.detail.run
    return run_sentence(facts, at).about(run.application, run.schedule, run.run_id, _evidence(facts, at), at.now)


def run_sentence(facts: SaidOfRun, at: Moments) -> Sentence:
    run = facts.detail.run
    name = f"run {run.run_id} of {run.schedule}"
    ended = "" if run.finished_at is None else f" {at(run.finished_at)}"
    match run.state:
        case "pending":
            return _waits(facts, name, at)
        case "running":
            return _runs(facts)
        case "skipped":
            text = f"{name} did not run at {at(run.scheduled_for)}: {run.in_words(at.written)}"
            return Sentence("skipped", text, run.finished_at, None, (f"leased why {run.schedule}",))
        case "succeeded":
            text = f"{name} succeeded{ended}, after {lasted(run.seconds)}"
            return Sentence("succeeded", text, run.finished_at, None, (f"leased show {run.run_id}",))
        case "cancelled":
            said = run.in_words(at.written) or ""
            text = f"{name} was cancelled{ended}" + f": {said.removeprefix('cancelled ')}" * bool(said)
            return Sentence("cancelled", text, run.finished_at, None, run.next)
        case "failed":
            crashed = facts.detail.abandoned >= MOST_ABANDONED
            again = "" if run.retried_as is None else f"; it was retried as run {run.retried_as}"
            text = f"{name} failed{ended}: {shortened(run.reason or '')}{again}"
            return Sentence("abandoned" if crashed else "failed", text, run.finished_at, None, run.next)


def _waits(facts: SaidOfRun, name: str, at: Moments) -> Sentence:
    run, why = facts.detail.run, facts.detail.run.why
    words = "waits" if why is None else causes.sentence(why, at)
    state: State = "waiting"
    until: datetime | None = None
    more: list[str] = []
    match why:
        case causes.Cancelled() | causes.Replaced() | causes.Retired():
            state, words = "cancelled", f"ends as soon as its work has: {words}"
        case causes.WaitsForRetry(moment) | causes.WaitsForStart(moment):
            until, more = moment, [f"leased logs {run.run_id}"] if run.attempt else []
        case causes.WaitsForRun(ahead):
            more = [f"leased why {ahead}"]
        case causes.WaitsForLock(run_id=under):
            more = ["leased locks" if under is None else f"leased why {under}"]
        case causes.WaitsForSlot():
            more = ["leased locks"]
        case causes.WaitsForBackfill():
            more = ["leased backfills"]
        case causes.WaitsForReplica(others=others):
            state = "no definition" if others else "no replica"
            words = words if words.startswith("waits") else f"waits: {words}"
            more = ["leased generations" if others else "leased run FILE"]
        case _:
            more = ["leased status"]
    since = facts.detail.available_at if until is None else None
    return Sentence(state, f"{name} {words}", since, until, (*more, f"leased cancel {run.run_id}"))


def _runs(facts: SaidOfRun) -> Sentence:
    run, at_work = facts.detail.run, facts.at_work
    if at_work is None:  # it has ended since
        return Sentence("running", f"run {run.run_id} of {run.schedule} is running", run.started_at, None, run.next)
    known = facts.usual.get((run.application, run.schedule))
    state, text = at_work_text(at_work, facts.living, facts.running, known)
    asks = (f"leased stack {run.run_id}", *run.next)
    return Sentence(state, text, run.started_at, None, asks if state in {"running", "long"} else ("leased replicas",))


def _evidence(facts: SaidOfRun, at: Moments) -> Facts:
    detail, run = facts.detail, facts.detail.run
    if run.state != "skipped":
        yield "due", at(run.scheduled_for)
    yield "cause", _cause(detail)
    yield "attempt", _attempts(facts)
    failed = next((job for job in reversed(detail.jobs) if job.state == "failed"), None)
    if failed is not None and run.state != "succeeded":
        yield "last error", f"{failed.job}, attempt {failed.attempt}: {shortened(last_line(failed.error))}"
    if run.late_to_finish and run.finish_by is not None:
        yield "late", f"it should have succeeded by {at(run.finish_by)}"
    if facts.at_work is not None:
        yield from doing(facts.at_work, detail, facts.last_output, at)
        yield "if killed", if_killed(facts.at_work, detail, facts.living, facts.running)
    elif run.state in {"failed", "pending"}:
        yield "last output", facts.last_output
    if isinstance(run.why, causes.WaitsForPlace):
        yield "running now", places(facts.defined.run_digest, facts.living, facts.running, facts.usual)
    ahead = getattr(run.why, "run_id", None)
    for other in (one for one in facts.running if one.run_id == ahead):
        known = facts.usual.get((other.application, other.schedule))
        yield f"run {ahead}", f"of {other.schedule}, running for {lasted(other.running_for)}{usually(known)}"
    if facts.defined.retired_at is not None:
        yield "schedule", f"{run.schedule} was retired {at.ago(facts.defined.retired_at)}"


def _cause(detail: RunDetail) -> str | None:
    run = detail.run
    if run.cause == "schedule":
        return None
    by = f" by {detail.requested_by}" if detail.requested_by else ""
    why = f": {detail.requested_why}" if detail.requested_why else ""
    what = run.retries_in_words or {"manual": "trigger"}.get(run.cause, run.cause)
    return f"{what}{by}{why}"


def _attempts(facts: SaidOfRun) -> str | None:
    """Return which attempt of how many the last job is at."""
    if not facts.detail.jobs:
        return None
    last = facts.detail.jobs[-1]
    jobs = {job["name"]: job for job in json.loads(facts.defined.definition).get("jobs", ())}
    retries = jobs.get(last.job, {}).get("retries", 0)
    failed = sum(one.job == last.job and one.state == "failed" for one in facts.detail.jobs)
    this = failed + (last.state != "failed")
    crashes = f"; {facts.detail.abandoned} of {MOST_ABANDONED} crashes in a row" if facts.detail.abandoned else ""
    return f"{last.job}: {min(this, retries + 1)} of {retries + 1}{crashes}"


# What is said of runs and of schedules alike


def joined(texts: Sequence[str | None]) -> str:
    """Return the parts of a sentence that there are, joined."""
    return "; ".join(text for text in texts if text)


_MOST = 5
"""How many runs or replicas a sentence names."""


def at_work_text(
    run: RunningRun, living: Sequence[Living], running: Iterable[RunningRun], known: Usual | None
) -> tuple[State, str]:
    """Return how it stands with a running run, in a sentence. ``running`` are those that its replica may have."""
    replica = next((one for one in living if one.holder == run.holder), None)
    if replica is not None and not replica.is_seen:
        theirs = [one for one in running if one.holder == replica.holder]
        since = silence(replica.name, replica.seen_ago, theirs, alone=not any(one.is_seen for one in living))
        return "silent", f"{recorded(run, run.schedule)}, but {since}"
    if not run.held:
        return "stuck", stuck(run, run.schedule)
    text = has_run(run, run.schedule, known)
    if run.cancelled_by is not None:
        text += f"; cancelled by {run.cancelled_by}: it ends as soon as its work has"
    elif run.draining:
        text += "; its replica drains, and hands it back if it is not over when grace has passed"
    return "running" if run.long is None else "long", text


def doing(at_work: RunningRun, detail: RunDetail, last_output: str | None, at: Moments) -> Facts:
    job = next((one for one in reversed(detail.jobs) if one.state == "running"), None)
    if job is None:
        yield "job", "between jobs"
        return
    replica = f"{at_work.host}:{at_work.pid}" if at_work.host else at_work.holder
    yield "job", f"{job.job}, attempt {job.attempt}, for {lasted(job.seconds)}"
    if job.keeper_pid is None:
        yield "process", f"in the replica itself, {replica}"
    else:
        yield "process", f"a child of process {job.keeper_pid} on {at_work.host or replica}, which {replica} started"
    if job.done is not None:
        far = number(job.done) + ("" if job.total is None else f" of {number(job.total)}")
        said = far + (f", {job.message}" if job.message else "")
        yield "progress", said + ("" if job.progress_at is None else f", reported {at.ago(job.progress_at)}")
    if last_output:
        yield "last output", last_output + ("" if job.printed_at is None else f" ({at.ago(job.printed_at)})")
    if at_work.lease_expires_in is not None:
        when = ago(-at_work.lease_expires_in)
        lease = f"expires {when} unless it is renewed" if at_work.lease_expires_in > 0 else f"expired {when}"
        yield "lease", f"token {at_work.token}, {lease}"


def if_killed(at_work: RunningRun, detail: RunDetail, living: Sequence[Living], running: Iterable[RunningRun]) -> str:
    """Return what it costs to kill the replica of a run with SIGKILL."""
    runs = [str(one.run_id) for one in running if one.holder == at_work.holder]
    replica = f"{at_work.host}:{at_work.pid}" if at_work.host else at_work.holder
    text = f"`kill -9` of {replica} ends the attempts of {counted(len(runs), 'run')} ({listed(runs, _MOST)})"
    crash = detail.abandoned + 1
    if crash >= MOST_ABANDONED:
        return f"{text}; this run would fail, because it has crashed {detail.abandoned} times in a row"
    others = [one for one in living if one.holder != at_work.holder and one.is_seen and one.state == "running"]
    able = [one.name for one in others if detail.digest in one.run_digests]
    within = max(0.0, at_work.lease_expires_in or 0.0)
    then = (
        f"{listed(able, _MOST)} can resume it when its lease has expired, within {format_duration(round(within))}"
        if able
        else "no other replica has its definition, so it waits until one starts"
    )
    return (
        f"{text}; this would be crash {crash} of {MOST_ABANDONED} in a row for this one, and uses up no retry; {then}"
    )


def places(
    digest: str | None, living: Sequence[Living], running: Sequence[RunningRun], usual: Mapping[ScheduleKey, Usual]
) -> str | None:
    """Return which runs have the capacity of the replicas that could execute a run, and when one of them usually ends."""
    able = {one.holder for one in living if digest is not None and digest in one.run_digests}
    theirs = [one for one in running if one.holder in able]
    if not theirs:
        return None
    named = [f"{one.run_id} of {one.schedule} ({lasted(one.running_for)})" for one in theirs]
    text = f"{counted(len(theirs), 'run')}: {listed(named, _MOST)}"
    known = ((one, usual.get((one.application, one.schedule))) for one in theirs)
    left = [its.median - one.running_for for one, its in known if its is not None]
    if (soonest := min((seconds for seconds in left if seconds >= 0), default=None)) is not None:
        return f"{text}; one usually ends {ago(-soonest)}"
    return f"{text}; all have run for longer than usual" if left else text
