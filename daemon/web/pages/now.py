"""What runs now, and what is due in the next hour, with what is known of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ...definitions.schedule import UnreadableDefinition, read_job_names
from ...store.views.overview import RunningRun
from ...store.views.usual import Usual
from ...text import shortened
from .coming import Soon, defined
from .drawing.habit import Habit, habit
from .moments import count
from .rows import AtWork, Read
from .states import RUNS, SCHEDULES, Shown

MOST_RUNNING = 12
"""So many runs are listed."""


@dataclass(frozen=True, slots=True)
class Running:
    """A run that is running, against how long it usually takes."""

    run: RunningRun
    shown: Shown
    since: datetime
    what: Sequence[str]
    """Its job, progress and replica."""
    usual: Usual | None
    habit: Habit | None


@dataclass(frozen=True, slots=True)
class NextHour:
    """A line of what comes in the next hour."""

    soon: Soon
    zone: str
    warning: str
    """Why it will not run."""


def worst_first(run: RunningRun) -> tuple[bool, bool, float, int]:
    """Return by what the runs are sorted: what is wrong, then what runs for longest."""
    return run.held, run.long is None, -run.running_for, run.run_id


def running_now(run: RunningRun, read: Read, started: Mapping[int, datetime], now: datetime) -> Running:
    """Return a running run as it is shown."""
    key = (run.application, run.schedule)
    usual = read.usual.get(key)
    shown = SCHEDULES["stuck"] if not run.held else RUNS["running"] if run.long is None else SCHEDULES["long"]
    bar = None if usual is None else habit(run.running_for, usual.median, usual.p95)
    definition, _ = read.stored.get(key, ("{}", None))
    since = started.get(run.run_id) or now - timedelta(seconds=round(run.running_for))
    return Running(run, shown, since, _what(run, definition), usual, bar)


def _what(run: RunningRun, definition: str) -> list[str]:
    """Return what a run does: ``stock (3 of 4), 12 840 of 31 200``, its replica, and what is special."""
    parts = []
    if (job := run.job) is not None:
        parts.append(f"{job.job}{_number(job.job, definition)}{_progress(job.done, job.total)}")
        parts += [shortened(job.message, 80)] if job.message else []
        parts += [f"attempt {job.attempt}"] if job.attempt > 1 else []
    parts += [f"{run.host}:{run.pid}"] if run.host else []
    parts += ["its replica drains"] if run.draining else []
    parts += [f"being cancelled by {run.cancelled_by}"] if run.cancelled_by else []
    parts += [] if run.held else ["its lease is not held"]
    return [shortened(part) for part in parts]


def _number(job: str, definition: str) -> str:
    """Return which of how many jobs it is; empty if there is one, or if that is not known."""
    try:
        names = read_job_names(definition)
    except UnreadableDefinition:
        return ""
    return f" ({names.index(job) + 1} of {len(names)})" if job in names and len(names) > 1 else ""


def _progress(done: float | None, total: float | None) -> str:
    if done is None:
        return ""
    return f", {count(done)}" + (f" of {count(total)}" if total is not None else "")


def warning(one: Soon, read: Read, work: AtWork) -> str:
    """Return why a scheduled time will not run, as far as that is known."""
    line, due = one.line, one.line.next_due
    key = (line.application, line.schedule)
    definition, _ = read.stored.get(key, ("{}", None))
    if line.paused_at is not None and due is not None and (line.paused_until is None or due < line.paused_until):
        return "paused: will be skipped"
    schedule = defined(definition)
    if schedule is not None and due is not None and (day := schedule.excluded_by(due)) is not None:
        return f"will be skipped: excluded by {day}"
    run, usual = work.running.get(key), read.usual.get(key)
    if run is None or usual is None or line.due_in is None or schedule is None or schedule.overlap != "skip":
        return ""
    is_over = usual.median - run.running_for < line.due_in
    return "" if is_over else f"skipped unless run {run.run_id} ends before"
