"""A row of the table of schedules: what it is, how lately it ran, how long that takes, and what comes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ...answers.status import StatusFound
from ...store.tables import ScheduleKey
from ...store.views.acting import BackfillLine
from ...store.views.lately import StripRun
from ...store.views.overview import RunningRun, ScheduleLine, WaitingRun
from ...store.views.usual import Usual
from ...text import counted, shortened
from .coming import Next, coming, defined, timing
from .drawing.strip import Strip, strip
from .links import schedule_path
from .moments import ShownTimes, duration, times
from .standing import Standings
from .states import RUNS, SCHEDULES, Shown, Standing, Tone, worst

_WAITS = Shown("waits", "waiting", "run")
_DISABLED = Shown("disabled", "paused", "idle")


@dataclass(frozen=True, slots=True)
class Last:
    """What became of the last run of a schedule."""

    shown: Shown
    at: datetime | None = None
    """When it ended …"""
    since: datetime | None = None
    """… or since when it has been running."""
    text: str = ""
    note: str = ""
    tone: Tone | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A schedule in the table."""

    line: ScheduleLine
    path: str
    shown: Shown
    words: str
    tags: tuple[str, ...]
    zone: str
    strip: Strip
    usual: Usual | None
    last: Last
    last_has_glyph: bool
    """Its state is not the one by which the schedule is marked."""
    next: Next


@dataclass(frozen=True, slots=True)
class Read:
    """What is read of the schedules of a page besides the status."""

    stored: Mapping[ScheduleKey, tuple[str, datetime]]
    strips: Mapping[ScheduleKey, tuple[StripRun, ...]]
    usual: Mapping[ScheduleKey, Usual]


@dataclass(frozen=True, slots=True)
class AtWork:
    """What is not over, by schedule."""

    running: Mapping[ScheduleKey, RunningRun]
    waiting: Mapping[ScheduleKey, WaitingRun]
    backfills: Mapping[ScheduleKey, BackfillLine]


def at_work(status: StatusFound) -> AtWork:
    """Return the first of each kind, of each schedule that has one."""
    overview = status.overview
    return AtWork(
        {(one.application, one.schedule): one for one in reversed(overview.running)},
        {(one.application, one.schedule): one for one in reversed(overview.waiting)},
        {(one.application, one.schedule): one for one in overview.backfills if not one.is_over},
    )


@dataclass(frozen=True, slots=True)
class RowMaker:
    """What rows are made of."""

    read: Read
    standings: Standings
    work: AtWork
    t: ShownTimes

    def of(self, line: ScheduleLine) -> Row:
        """Return the row of a schedule."""
        key = (line.application, line.schedule)
        definition, anchor = self.read.stored.get(key, ("{}", self.t.now))
        schedule, usual = defined(definition), self.read.usual.get(key)
        zone = "UTC" if schedule is None else schedule.timezone
        leading = _shown(line, worst(self.standings[key]))
        last = self._last(line, zone)
        return Row(
            line,
            schedule_path(*key),
            leading,
            timing(line, schedule),
            () if schedule is None else tuple(schedule.tags),
            zone,
            strip(self.read.strips.get(key, ()), None if usual is None else usual.p95),
            usual,
            last,
            last.shown.glyph != leading.glyph and last.shown.tone not in ("ok", "idle"),
            coming(line, definition, anchor, self.t),
        )

    def _last(self, line: ScheduleLine, zone: str) -> Last:
        """Return what became of the last run, and what says most of it: failures, what is long or late, what did not run."""
        key = (line.application, line.schedule)
        running, waiting = self.work.running.get(key), self.work.waiting.get(key)
        usual_note, tone = self._usual_note(line)
        if line.paused_at is not None:
            until = "" if line.paused_until is None else f" until {self.t.text(line.paused_until, zone)}"
            why = f"“{shortened(line.paused_why, 120)}”" if line.paused_why else usual_note
            return Last(
                SCHEDULES["paused"], text=f"by {shortened(line.paused_by or 'an unknown user', 60)}{until}", note=why
            )
        if not line.enabled:
            return Last(_DISABLED, text="in its definition", note=usual_note)
        if running is not None:
            usual = self.read.usual.get(key)
            if running.long is not None and usual is not None:
                usual_note, tone = f"{times(running.running_for, usual.median)} as long as usual", "warn"
            elif any(one.run_id == running.run_id and one.crashed is not None for one in self.read.strips.get(key, ())):
                usual_note, tone = "resumed after a crash", "crash"
            since = line.last_started_at if line.last_run_id == running.run_id else None
            since = since or self.t.before(round(running.running_for)).replace(microsecond=0)
            return Last(RUNS["running"], since=since, note=usual_note, tone=tone)
        if line.last_state is None:
            return Last(SCHEDULES["new"], note=usual_note, tone=tone)
        if line.last_state == "pending":
            if waiting is None:
                return Last(_WAITS, note=usual_note, tone=tone)
            late = "" if (waiting.waiting_for or 0.0) <= 0 else f"for {duration(waiting.waiting_for)}"
            why = waiting.why_text or ""
            text = why.removeprefix("waits ") if why.startswith("waits ") or not why else f"because {why}"
            return Last(_WAITS, text=text, note=late, tone="warn")
        return Last(RUNS[line.last_state], at=line.last_finished_at, note=usual_note, tone=tone)

    def _usual_note(self, line: ScheduleLine) -> tuple[str, Tone | None]:
        left_out, backfill = line.left_out, self.work.backfills.get((line.application, line.schedule))
        if line.finished_state == "failed" and (line.failures > 1 or line.last_state == "failed"):
            several = f"{line.failures:,} in a row: " if line.failures > 1 else ""
            return f"{several}{shortened(line.finished_reason or '', 160)}", "fail"
        if left_out.overlapped:
            text = f"{left_out.overlapped} of the last {left_out.latest} did not run: overlap"
            return text, "warn" if left_out.is_thinned else None
        if left_out.missed:
            return f"{counted(left_out.missed, 'scheduled time')} missed in the last 24 h", "warn"
        if backfill is not None:
            return f"backfill {backfill.backfill_id}: {backfill.done:,} of {backfill.instants:,} done", "run"
        if line.last_state == "cancelled":
            return shortened(line.last_reason or "", 160), None
        if line.last_state == "succeeded" and line.last_seconds is not None:
            return f"took {duration(line.last_seconds)}", None
        return "", None


def _shown(line: ScheduleLine, standing: Standing) -> Shown:
    return _DISABLED if standing == "paused" and line.paused_at is None else SCHEDULES[standing]
