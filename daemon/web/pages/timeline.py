"""The timeline: what each schedule did and will do in a time, one lane each, and the same as a table."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal

from sqlalchemy import Connection

from ...instants import format_instant
from ...store.tables import ScheduleKey
from ...store.views.defined import read_stored
from ...store.views.lanes import (
    Ended,
    LaneAttempt,
    LaneRuns,
    TimeWindow,
    read_attempts,
    read_lanes,
    read_window,
    read_window_runs,
)
from ...store.views.overview import RunningRun, ScheduleLine
from ...store.views.usual import Usual, read_usual
from ...text import shortened
from ..api.asked import Instant, RunId, Unfit
from .coming import defined
from .drawing.lanes import COLUMNS, Bar, DrawnLane, LaneMarks, Look, lane, ticks
from .links import query_with, schedule_path
from .moments import ShownTimes, count
from .overview import CHIPS, OverviewAsked, choose
from .page import Page, Visit
from .runs import rows_of
from .standing import Standings, counts, standings
from .states import SCHEDULES, Shown, worst

Window = Literal["1h", "10h", "24h", "7d"]
WINDOWS: Mapping[Window, tuple[timedelta, timedelta]] = {
    "1h": (timedelta(minutes=50), timedelta(minutes=10)),
    "10h": (timedelta(hours=8), timedelta(hours=2)),
    "24h": (timedelta(hours=20), timedelta(hours=4)),
    "7d": (timedelta(days=6), timedelta(days=1)),
}
"""How far back and ahead each shows."""
SHOWN = 25
"""Rows of the table."""
MOST_IDLE = 20
"""Schedules with nothing in the window that are named."""
MOST_DUE = 600
"""Scheduled times that are looked for, of all lanes."""
_STEPS = 120
"""The window moves on by this part of it: not with each second."""
_APART = 12
"""Columns between two scheduled times, at least."""
_LATE = 60.0
_LOOKS: Mapping[Ended, Look] = {
    "succeeded": "ok",
    "failed": "bad",
    "cancelled": "can",
    "skipped": "skip",
    "missed": "miss",
}
_YEARS = (datetime(1980, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))


class TimelineAsked(OverviewAsked):
    """Which schedules, and which time."""

    window: Window = "10h"
    until: Instant | None = None
    before: RunId | None = None


@dataclass(frozen=True, slots=True)
class LaneShown:
    """A lane with its name."""

    id: str
    line: ScheduleLine
    path: str
    shown: Shown
    drawn: DrawnLane
    label: str
    """The same in words."""
    paused: str
    """By whom, until when and why."""
    paused_at: float
    """Since where, in percent."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What is read of the schedules of a page besides the status."""

    window: TimeWindow
    done: Mapping[ScheduleKey, LaneRuns]
    attempts: Mapping[int, Sequence[LaneAttempt]]
    running: Mapping[ScheduleKey, Sequence[RunningRun]]
    usual: Mapping[ScheduleKey, Usual]
    stored: Mapping[ScheduleKey, tuple[str, datetime]]

    def of_runs(self, key: ScheduleKey) -> Iterator[int]:
        """Yield the runs of a schedule of which attempts may be known."""
        yield from (span.run_id for span in self.done.get(key, LaneRuns()).spans)
        yield from (one.run_id for one in self.running.get(key, ()))


def _read(connection: Connection, asked: TimelineAsked, visit: Visit) -> Mapping[str, object]:
    overview, found = visit.status.overview, standings(visit.status)
    listed = choose(connection, asked, overview, found)
    begins, ends = _bounds(asked, visit.now)
    window = read_window(connection, begins, ends)
    keys = {(line.application, line.schedule): line for line in listed.lines}
    running: dict[ScheduleKey, list[RunningRun]] = {}
    for one in overview.running:
        running.setdefault((one.application, one.schedule), []).append(one)
    at_work = keys.keys() & running.keys()
    done = read_lanes(connection, keys, window, COLUMNS // 3)
    ids = {span.run_id for one in done.values() for span in one.spans}
    ids |= {one.run_id for key in at_work for one in running[key]}
    attempts = read_attempts(connection, ids, window)
    read = _Read(window, done, attempts, running, read_usual(connection, at_work), read_stored(connection, set(keys)))
    t = ShownTimes(visit.now, visit.looker.zone)
    lanes, idle = _lanes(keys, read, visit, found, t)
    runs = read_window_runs(connection, keys, window, asked.before, SHOWN + 1)
    zone = _zone(read)
    given = asked.model_dump(exclude_none=True) | ({"until": format_instant(asked.until)} if asked.until else {})
    axis = t.zone(zone)
    now_at = 100 * (visit.now - begins).total_seconds() / window.seconds
    return {
        "asked": asked,
        "chips": [(each, SCHEDULES[each]) for each in CHIPS],
        "counts": counts(found),
        "total": len(overview.schedules),
        "chosen": listed,
        "lanes": lanes,
        "idle": idle,
        "most_idle": MOST_IDLE,
        "cut": [
            one.line.schedule for one in lanes if done.get((one.line.application, one.line.schedule), LaneRuns()).is_cut
        ],
        "ticks": ticks(begins, ends, visit.now, axis),
        "abbreviation": ends.astimezone(axis).tzname(),
        "clock": f"{visit.now.astimezone(axis):%H:%M}",
        "zone": zone,
        "now_at": round(now_at, 2) if 0 <= now_at <= 100 else None,
        "future": round(min(max(now_at, 0.0), 100.0), 2),
        "begins": begins,
        "ends": ends,
        "windows": WINDOWS,
        "earlier": format_instant(ends - sum(WINDOWS[asked.window], timedelta()) / 2),
        "later": format_instant(ends + sum(WINDOWS[asked.window], timedelta()) / 2),
        "rows": rows_of(connection, runs[:SHOWN], visit),
        "earlier_runs": runs[SHOWN - 1].run_id if len(runs) > SHOWN else None,
        "is_filtered": bool(asked.state or asked.application or asked.tag or asked.q),
        "link": lambda **changed: "timeline" + query_with(given, changed),
    }


def _bounds(asked: TimelineAsked, now: datetime) -> tuple[datetime, datetime]:
    """Return the beginning and the end of the window; that around now moves on in steps."""
    back, ahead = WINDOWS[asked.window]
    if asked.until is not None:
        if not _YEARS[0] < asked.until < _YEARS[1]:
            raise Unfit("until: it is too far away; give an instant between 1980 and 9000")
        return asked.until - back - ahead, asked.until
    step = (back + ahead) / _STEPS
    end = now + ahead
    ends = end + (-(end - _YEARS[0]) % step)
    return ends - back - ahead, ends


def _lanes(
    keys: Mapping[ScheduleKey, ScheduleLine], read: _Read, visit: Visit, found: Standings, t: ShownTimes
) -> tuple[list[LaneShown], list[ScheduleLine]]:
    """Return the lanes, and the schedules that have nothing to show in this window."""
    lanes: list[LaneShown] = []
    idle: list[ScheduleLine] = []
    waiting: dict[ScheduleKey, float] = {}
    for one in visit.status.overview.waiting:
        if (one.waiting_for or 0.0) > 0:
            key = (one.application, one.schedule)
            waiting[key] = max(waiting.get(key, 0.0), one.waiting_for or 0.0)
    now = (visit.now - read.window.begins).total_seconds()
    for key, line in keys.items():
        bars = [*_ended(key, read), *_at_work(key, read, now)]
        if key in waiting and key not in read.running:
            bars.append(Bar("late", now - waiting[key], min(now, read.window.seconds)))
        bars = [bar for bar in bars if bar.begins < read.window.seconds and bar.ends >= 0]
        due = _due(key, line, read, now, MOST_DUE // len(keys))
        if not bars and not due and line.paused_at is None:
            idle.append(line)
            continue
        plan = LaneMarks(due, list(_hand_overs(key, read)), list(_ghosts(key, read, now)))
        paused, paused_at = _paused(line, read, t)
        name = hashlib.sha256("\0".join(key).encode()).hexdigest()[:12]
        drawn = lane(bars, read.window.seconds, plan)
        shown, label = SCHEDULES[worst(found[key])], _in_words(key, read)
        lanes.append(LaneShown(name, line, schedule_path(*key), shown, drawn, label, paused, paused_at))
    return lanes, idle


def _ended(key: ScheduleKey, read: _Read) -> Iterator[Bar]:
    for span in read.done.get(key, LaneRuns()).spans:
        yield Bar(_LOOKS[span.ended], span.begins, span.ends)
    for run_id in read.of_runs(key):
        for attempt in read.attempts.get(run_id, ()):
            if attempt.is_lost and attempt.ends is not None:
                yield Bar("crash", attempt.begins, attempt.ends)


def _at_work(key: ScheduleKey, read: _Read, now: float) -> Iterator[Bar]:
    """Yield what is running: what of it takes longer than usual looks otherwise."""
    usual, end = read.usual.get(key), min(now, read.window.seconds)
    for one in read.running.get(key, ()):
        began = now - one.running_for
        turns = end if usual is None or one.long is None else min(began + usual.p95, end)
        yield Bar("run", began, turns)
        if turns < end:
            yield Bar("long", turns, end)


def _ghosts(key: ScheduleKey, read: _Read, now: float) -> Iterator[tuple[float, float]]:
    usual = read.usual.get(key)
    for one in read.running.get(key, ()):
        if usual is not None and usual.p95 > one.running_for and now < read.window.seconds:
            yield now, now - one.running_for + usual.p95


def _hand_overs(key: ScheduleKey, read: _Read) -> Iterator[float]:
    for run_id in read.of_runs(key):
        for before, after in pairwise(read.attempts.get(run_id, ())):
            if before.token != after.token and 0 <= after.begins <= read.window.seconds:
                yield after.begins


def _due(key: ScheduleKey, line: ScheduleLine, read: _Read, now: float, most: int) -> list[float]:
    """Return the coming scheduled times that can be told apart, in seconds from the beginning of the window."""
    window, found = read.window, list[float]()
    definition, anchor = read.stored.get(key, ("{}", window.begins))
    schedule = defined(definition)
    if schedule is None or line.next_due is None or window.seconds <= now:
        return found
    after = max(line.next_due, window.begins + timedelta(seconds=now), line.paused_until or window.begins)
    if line.paused_at is not None and line.paused_until is None:
        return found
    after -= timedelta(microseconds=1)
    for _ in range(most):
        instant = next(schedule.instants(after, anchor), None)
        if instant is None or instant >= window.ends:
            break
        if schedule.excluded_by(instant) is None:
            found.append((instant - window.begins).total_seconds())
        after = instant + timedelta(seconds=_APART * window.seconds / COLUMNS)
    return found


def _paused(line: ScheduleLine, read: _Read, t: ShownTimes) -> tuple[str, float]:
    if line.paused_at is None:
        return "", 0.0
    schedule = defined(read.stored.get((line.application, line.schedule), ("{}", t.now))[0])
    zone = None if schedule is None else schedule.timezone
    until = "" if line.paused_until is None else f" until {t.text(line.paused_until, zone)}"
    why = f": “{shortened(line.paused_why, 100)}”" if line.paused_why else ""
    since = 100 * (line.paused_at - read.window.begins).total_seconds() / read.window.seconds
    return f"paused by {shortened(line.paused_by or 'somebody', 60)}{until}{why}", round(min(max(since, 0.0), 100.0), 2)


def _in_words(key: ScheduleKey, read: _Read) -> str:
    """Return what a lane shows: ``31 succeeded, 4 failed, 1 running``."""
    found: Counter[str] = Counter()
    for span in read.done.get(key, LaneRuns()).spans:
        found[span.ended] += span.runs
    found["running"] = len(read.running.get(key, ()))
    return ", ".join(f"{count(number)} {word}" for word, number in found.items() if number) or "nothing ran"


def _zone(read: _Read) -> str:
    """Return the time zone that most of the schedules have."""
    schedules = [defined(definition) for definition, _ in read.stored.values()]
    zones = Counter(schedule.timezone for schedule in schedules if schedule is not None)
    return zones.most_common(1)[0][0] if zones else "UTC"


TIMELINE = Page("/timeline", "timeline", TimelineAsked, _read)
