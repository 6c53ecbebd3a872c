"""What comes: the next scheduled times of a schedule, and those of all in the next hour. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from lease.durations import parse_duration

from ...definitions.schedule import Preview, Schedule, UnreadableDefinition, preview_schedule, read_schedule
from ...definitions.triggers.cron import parse
from ...errors import InvalidCron
from ...states import ON_REQUEST
from ...store.views.overview import ScheduleLine
from .moments import ShownTimes
from .states import Tone
from .words import cron_in_words, every_in_words, in_words

MOST = 10
"""So many lines are shown for the next hour."""
_HOUR = 3600.0
_LATE = -60.0
_SHOWN = 5
_LOOKED_AT = 12
"""So many scheduled times are looked at for one that is not excluded."""
_TICK = timedelta(microseconds=1)
_WEEK = 7


@dataclass(frozen=True, slots=True)
class Next:
    """The next scheduled time of a schedule that runs, and a line about those after it."""

    at: datetime | None = None
    note: str = ""
    tone: Tone | None = None


@dataclass(frozen=True, slots=True)
class Soon:
    """A scheduled time in the next hour; of several schedules if they are due every few minutes alike."""

    line: ScheduleLine
    others: int
    often: str
    """How often it is due, if more than once an hour: ``every 5 minutes``."""


@lru_cache(maxsize=2_000)
def defined(definition: str) -> Schedule | None:
    """Return a stored definition; None if this version cannot read it."""
    try:
        return read_schedule(definition)
    except UnreadableDefinition:
        return None


def timing(line: ScheduleLine, schedule: Schedule | None) -> str:
    """Return in words when a schedule is due."""
    return line.timing if schedule is None else in_words(schedule.trigger)


def coming(line: ScheduleLine, definition: str, anchor: datetime, t: ShownTimes) -> Next:
    """Return what comes of a schedule, with its times as they are shown in its zone."""
    schedule = defined(definition)
    if line.next_due is None and line.enabled and line.paused_at is None and line.timing != ON_REQUEST:
        return Next(None, "no scheduled time left")
    if line.next_due is None or schedule is None or not line.enabled:
        return Next(line.next_due if line.enabled else None)
    if line.paused_at is not None and line.paused_until is None:
        return Next(None, "when it is resumed")
    paused = line.paused_until if line.paused_at is not None else None
    first = line.next_due if paused is None else max(line.next_due, paused)
    found = _next(definition, first, anchor)
    runs = [one for one in found if one.excluded is None]
    at = runs[0].instant if runs else None
    if paused is not None:
        return Next(at, f"resumes {t.text(paused, schedule.timezone)}")
    if found and found[0].excluded is not None:
        return Next(at, f"{t.text(found[0].instant, schedule.timezone)} is excluded: {found[0].excluded}", "warn")
    shown = runs[:_SHOWN]
    changed = next((one for one in shown if one.note is not None), None)
    if changed is not None:
        return Next(at, f"{changed.local:%a %H:%M}: {changed.note}", "warn")
    return Next(at, _then(shown, schedule.timezone, t))


@lru_cache(maxsize=2_000)
def _next(definition: str, first: datetime, anchor: datetime) -> Sequence[Preview]:
    """Return the next scheduled times, which are the same until the first of them has come."""
    schedule = defined(definition)
    if schedule is None:
        return ()
    return preview_schedule(schedule, first - _TICK, _LOOKED_AT if schedule.exclude else _SHOWN, anchor)


def _then(shown: Sequence[Preview], zone: str, t: ShownTimes) -> str:
    """Return the times after the first: ``then every 15 minutes``, ``then Tue, Wed, Thu, Fri 16:05``."""
    if len(shown) < 2:
        return ""
    gaps = {(after.instant - before.instant).total_seconds() for before, after in pairwise(shown)}
    if len(gaps) == 1 and (gap := gaps.pop()) <= _HOUR:
        return f"then {every_in_words(gap)}"
    at = t.zone(zone)
    local = [one.instant.astimezone(at) for one in shown]
    names = list(dict.fromkeys(one.tzname() for one in local))
    change = f" ({names[0]} → {names[1]})" if len(names) > 1 else ""
    if len({one.time() for one in local}) > 1:
        return f"then {', '.join(t.text(one.instant, zone) for one in shown[1:])}{change}"
    if (local[-1].date() - t.now.astimezone(at).date()).days < _WEEK:
        return f"then {', '.join(f'{one:%a}' for one in local[1:])} {local[0]:%H:%M}{change}"
    form = "%b %Y" if local[-1].year - local[0].year > 1 else "%b"
    return f"then {', '.join(f'{one.day} {one.strftime(form)}' for one in local[1:])}{change}"


def soon(lines: Sequence[ScheduleLine]) -> tuple[list[Soon], int]:
    """Return what is due in the next hour, the next first, and how many lines are left out."""
    due = [(line.next_due, line.schedule, line) for line in lines if _is_soon(line)]
    found: dict[object, list[ScheduleLine]] = {}
    for _, _, line in sorted(due, key=lambda one: one[:2]):
        alone = line.paused_at is not None or not _often(line.timing)
        found.setdefault((line.application, line.schedule) if alone else line.timing, []).append(line)
    groups = [Soon(group[0], len(group) - 1, _often(group[0].timing)) for group in found.values()]
    return groups[:MOST], len(groups) - MOST


def _is_soon(line: ScheduleLine) -> bool:
    return line.enabled and line.due_in is not None and _LATE < line.due_in <= _HOUR


@lru_cache(maxsize=2_000)
def _often(timing: str) -> str:
    """Return how often a schedule is due, if that is more than once an hour; empty otherwise."""
    kind, _, value = timing.partition(" ")
    if kind == "every":
        seconds = parse_duration(value)
        return every_in_words(seconds) if seconds < _HOUR else ""
    if kind != "cron":
        return ""
    try:
        is_often = len({time % 3600 for time in parse(value).times}) > 1
    except InvalidCron:
        return ""
    return (cron_in_words(value) or timing) if is_often else ""
