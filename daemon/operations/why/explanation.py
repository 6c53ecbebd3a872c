"""The answer to why: the state of a schedule or a run in one sentence, the evidence for it, and commands that help."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from lease.durations import format_duration

from ...states import MOST_ABANDONED
from ...store.tables import ScheduleKey
from ...store.views.defined import Living
from ...store.views.history import RunDetail
from ...store.views.overview import RunningRun
from ...store.views.problems import has_run, recorded, silence, stuck
from ...store.views.usual import Usual
from ...text import ago, counted, lasted, listed, number, when

State = Literal[
    "retired",
    "not active",
    "disabled",
    "paused",
    "no replica",
    "no definition",
    "stuck",
    "silent",
    "late",
    "late to finish",
    "running",
    "long",
    "waiting",
    "failing",
    "skipped",
    "on request",
    "ended",
    "excluded",
    "due",
    "succeeded",
    "failed",
    "abandoned",
    "cancelled",
]
"""What is so. Of a schedule, the first of those that keep it from running; of a run, its state, and what is wrong."""


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


@dataclass(frozen=True, slots=True)
class Explanation:
    """A sentence about a schedule or a run, with its evidence."""

    application: str
    schedule: str
    run_id: int | None
    """None: it is about the schedule."""
    sentence: Sentence
    evidence: tuple[Evidence, ...]


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


Facts = Iterator[tuple[str, str | None]]


def evidence(facts: Facts) -> tuple[Evidence, ...]:
    """Return the facts that there are."""
    return tuple(Evidence(what, text) for what, text in facts if text)


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
