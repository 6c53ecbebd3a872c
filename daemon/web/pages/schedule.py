"""The page of a schedule: what is so, its runs, the coming days and its definition."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from ...answers.questions import explain_schedule
from ...definitions.schedule import Schedule
from ...operations.why import Explanation, Moments, State
from ...states import ON_REQUEST
from ...store.policies import read_policies
from ...store.views.defined import StoredSchedule, read_defined
from ...store.views.generations import last_diff
from ...store.views.history import LOOKED_AT, RunSearch, Sought, find_runs, replicas_of
from ...store.views.lately import MOST_HAPPENED, DueRun, StripRun, last_failure, read_due, read_happened, read_strips
from ...store.views.names import keys_named
from ...store.views.overview import ScheduleLine
from ...store.views.usual import read_usual
from ...text import clean, signal_name
from ..api.asked import RunId
from .coming import defined
from .definition import changes, whole
from .drawing.calendar import CalendarDay, DueTime, PauseEnd, calendar, next_due, week_start
from .drawing.strip import LARGE, strip
from .links import ScheduleAsked, query_with, schedule_path
from .moments import ShownTimes, duration
from .page import Page, Visit
from .runs import CHIPS, rows_of
from .schedule_facts import Fact, facts_of
from .states import RUNS, SCHEDULES, Shown, of_run
from .troubles import with_runs
from .words import in_words

STRIP = 60
HISTORY = 20
_COMING = 5
_LAST_LINES = 12
_LONGEST = 500
_DATES_AT = (0.0, 1 / 3, 2 / 3, 1.0)
_DATES_NEED = 300
"""Pixels that a strip must have for more dates than the first."""
_CAUSES = {"manual": "run now", "backfill": "backfill", "retry": "retry"}
_BY_WORD: Mapping[State, Shown] = {
    "retired": Shown("retired", "cancelled", "idle"),
    "not active": Shown("not active", "waiting", "idle"),
    "disabled": Shown("disabled", "paused", "idle"),
    "paused": SCHEDULES["paused"],
    "no replica": Shown("no replica is running", "missed", "fail"),
    "no definition": Shown("no replica has its definition", "missed", "fail"),
    "silent": Shown("its replica is silent", "missed", "warn"),
    "stuck": SCHEDULES["stuck"],
    "late": SCHEDULES["late"],
    "late to finish": Shown("late to finish", "late", "warn"),
    "running": SCHEDULES["running"],
    "long": SCHEDULES["long"],
    "waiting": SCHEDULES["waiting"],
    "failing": SCHEDULES["failing"],
    "skipped": RUNS["skipped"],
}
"""How a schedule is shown in these states; in all others its last run says it."""


class SchedulePageAsked(ScheduleAsked):
    """A schedule, which of its runs are listed, and how its definition is shown."""

    state: Sought | None = None
    before: RunId | None = None
    definition: Literal["whole", "changes"] | None = None


def _read(connection: Connection, asked: SchedulePageAsked, visit: Visit) -> Mapping[str, object]:
    keys = keys_named(connection, asked.name, asked.application)
    keys = keys or keys_named(connection, asked.name, asked.application, retired=True)
    stored = read_defined(connection, keys[0]) if keys else None
    zone = "UTC" if stored is None else read_policies(stored.definition).timezone
    shown = ShownTimes(visit.now, visit.looker.zone)
    moments = Moments(visit.now, lambda moment: shown.text(moment, zone))
    found = explain_schedule(connection, asked.name, asked.application, visit.takeover_after, moments)
    line = visit.line(found.application, found.schedule)
    context = {
        "application": found.application,
        "name": found.schedule,
        "path": schedule_path(found.application, found.schedule),
        "zone": zone,
        "say": with_runs(found.text),
        "said": found,
        "evidence": found.items,
        "stored": stored,
        "line": line,
        "why_not": _why_not(visit, stored),
    }
    if stored is None:
        return {**context, "shown": _BY_WORD["not active"]}
    last = None if line is None else line.finished_state or line.last_state
    return {
        **context,
        **_of_history(connection, asked, visit, found),
        **_of_definition(connection, asked, stored, visit, zone=zone, key=keys[0], line=line),
        "shown": _BY_WORD.get(found.state) or (RUNS[last] if last is not None else SCHEDULES["new"]),
    }


def _why_not(visit: Visit, stored: StoredSchedule | None) -> str | None:
    """Return why nobody can act on it here, if nobody can."""
    if stored is not None and stored.retired_at is not None:
        return "it is retired; to run it, define it again"
    return visit.looker.why_not


def _of_history(
    connection: Connection, asked: SchedulePageAsked, visit: Visit, found: Explanation
) -> Mapping[str, object]:
    named = (found.application, found.schedule)
    runs = read_strips(connection, {named}, STRIP).get(named, ())
    run_ids = [one.run_id for one in runs]
    due, replicas = read_due(connection, run_ids), replicas_of(connection, run_ids)
    usual = read_usual(connection, {named}).get(named)
    given = {"state": asked.state, "definition": asked.definition}
    listed = find_runs(connection, RunSearch(asked.state, *named), before=asked.before, limit=HISTORY)
    return {
        "usual": usual,
        "strip": strip(runs, None if usual is None else usual.p95, LARGE),
        "dates": _dates(runs, due),
        "bars": [_bar(one, due[one.run_id], replicas.get(one.run_id)) for one in runs if one.run_id in due],
        "runs": runs,
        "counts": _counted(runs),
        "rows": rows_of(connection, listed.runs, visit),
        "listed": listed,
        "looked_at": LOOKED_AT,
        "asked": asked,
        "chips": [one for one in CHIPS if one[0] not in {"pending", "running", "succeeded"}],
        "link": lambda **changed: query_with(given, changed) or "?",
    }


def _dates(runs: Sequence[StripRun], due: Mapping[int, DueRun]) -> list[tuple[float, str, datetime]]:
    """Return where dates stand below the strip, how they are aligned there, and when those runs were due."""
    last, step = len(runs) - 1, LARGE.bar + LARGE.gap
    some = dict.fromkeys(round(last * part) for part in _DATES_AT if last * step >= _DATES_NEED * part) if runs else {}
    sides = {last: (last * step + LARGE.bar, "end"), 0: (0.0, "start")}
    return [
        (*sides.get(number, (number * step + LARGE.bar / 2, "middle")), due[runs[number].run_id].scheduled_for)
        for number in some
        if runs[number].run_id in due
    ]


def _bar(one: StripRun, due: DueRun, replica: str | None) -> tuple[int, datetime, str]:
    """Return the run of a bar, when it was due, and what else is to be said of it."""
    parts = [
        of_run(one.state, one.reason).word + ("" if one.crashed is None else " after a crash"),
        f"{one.count:,} scheduled times" if one.count > 1 else "",
        ""
        if one.seconds is None or one.state == "pending"
        else f"{'for' if one.state == 'running' else 'took'} {duration(one.seconds)}",
        "" if due.cause == "schedule" else _CAUSES[due.cause],
        replica or "",
    ]
    return one.run_id, due.scheduled_for, ", ".join(filter(None, parts))


def _counted(runs: Sequence[StripRun]) -> list[tuple[int, str]]:
    """Return how many of its last runs came to what, the most frequent first."""
    counts: Counter[str] = Counter()
    for one in runs:
        counts[of_run(one.state, one.reason).word] += one.count
    return [(number, word) for word, number in counts.most_common()]


def _of_definition(
    connection: Connection,
    asked: SchedulePageAsked,
    stored: StoredSchedule,
    visit: Visit,
    *,
    zone: str,
    key: tuple[str, str],
    line: ScheduleLine | None,
) -> Mapping[str, object]:
    at = ShownTimes(visit.now, visit.looker.zone).zone(zone)
    failure = last_failure(connection, key)
    happened = read_happened(connection, key, week_start(visit.now, at))
    diff = last_diff(connection, stored.application, stored.schedule, stored.changed_at)
    schedule = defined(stored.definition)
    days: Sequence[CalendarDay] = ()
    if schedule is not None and stored.retired_at is None:
        pause = None if line is None or line.paused_at is None else PauseEnd(line.paused_until)
        is_cut = len(happened) == MOST_HAPPENED
        days = calendar(schedule, stored.anchor, at, visit.now, happened, is_cut=is_cut, pause=pause)
    coming: Sequence[DueTime] = ()
    is_listed = any(day.coming.due for day in days) and not any(day.coming.more for day in days)
    if schedule is not None and days and not is_listed:
        coming = next_due(schedule, visit.now, stored.anchor, _COMING)
    changed = [] if diff is None else changes(stored.schedule, stored.definition, diff.settings[stored.schedule])
    is_whole = asked.definition == "whole" or not changed
    return {
        "failure": failure,
        "of_run": of_run,
        "signal_name": signal_name,
        "printed": []
        if failure is None
        else [clean(text)[:_LONGEST] for text in failure.printed.splitlines()[-_LAST_LINES:]],
        "description": "" if schedule is None else schedule.description,
        "facts": [] if schedule is None else _facts(schedule, stored, zone),
        "days": days,
        "coming": coming,
        "is_idle": not any(day.coming.runs for day in days),
        "lines": whole(stored.schedule, stored.definition) if is_whole else changed,
        "is_whole": is_whole,
        "diff": diff if changed else None,
    }


def _facts(schedule: Schedule, stored: StoredSchedule, zone: str) -> list[Fact]:
    is_timed = stored.timing != ON_REQUEST
    words = in_words(schedule.trigger)
    return facts_of(schedule, json.loads(stored.definition).get("jobs", ()), f"{words}, {zone}" if is_timed else words)


SCHEDULE = Page("/schedules/{application}/{name}", "schedule", SchedulePageAsked, _read, tab="overview")
