"""The dialogs of a schedule: run it now, pause it, resume it, or run past scheduled times."""

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from ....definitions.schedule import read_job_names, read_schedule
from ....errors import DaemonError, InvalidInstant
from ....instants import duration_of
from ....operations.backfill import foresee_backfill
from ....operations.backfill_plan import SurveyedInstant, Wanted, earliest
from ....operations.pause import foresee_resume
from ....operations.selection import read_one
from ....operations.typed_moment import typed_moment
from ....scheduling.plan import waits_for_predecessor
from ....store.tables import called
from ....store.views.names import application_of, timezone_of
from ....store.views.usual import read_usual
from ....text import MASK
from ...api.asked import Unfit
from ..drawing.times import times_strip
from ..links import NameInPath, schedule_path
from ..page import Page, Visit
from .dialog import ACTS_BY_PATH, Dialog, DialogAsked, Typed

_DAY = timedelta(days=1)
_MOST_COUNTED = 1_000
_MOST_NAMED = 3
_DURATIONS = ', or a duration like "2h"'


class ScheduleActAsked(DialogAsked):
    """The schedule to which it is done."""

    application: NameInPath
    name: NameInPath


class RunNowAsked(ScheduleActAsked):
    """A run, with its own parameters."""

    params: Typed = ""
    key: Typed = ""
    """The key of the form: if it is sent twice, one run starts."""


class PauseAsked(ScheduleActAsked):
    """A pause, and its end."""

    until: Typed = ""


class BackfillAsked(ScheduleActAsked):
    """The scheduled times that are to run after all."""

    first: Typed = ""
    last: Typed = ""
    at_most: Typed = ""


def _common(connection: Connection, asked: ScheduleActAsked, visit: Visit) -> dict[str, Any]:
    """Return what all of these dialogs show of a schedule; raises `NotFound`."""
    row = read_one(connection, application_of(connection, asked.name, asked.application), asked.name)
    schedule, key = read_schedule(row.definition), (asked.application, called(row))
    line = visit.line(*key)
    running = [one for one in visit.status.overview.running if (one.application, one.schedule) == key]
    return {
        "row": row,
        "schedule": schedule,
        "name": called(row),
        "zone": schedule.timezone,
        "line": line,
        "running": running,
        "usual": read_usual(connection, {key}).get(key),
        "back": schedule_path(*key),
    }


def _read_run(connection: Connection, asked: RunNowAsked, visit: Visit) -> Mapping[str, object]:
    found = _common(connection, asked, visit)
    schedule = found["schedule"]
    own = {name: MASK if name in schedule.secrets else value for name, value in schedule.params.items()}
    waits = waits_for_predecessor(schedule.overlap)
    return found | {
        "key": asked.key or f"page-{secrets.token_hex(8)}",
        "own_params": json.dumps(own, ensure_ascii=False, indent=1) if own else "",
        "jobs": read_job_names(found["row"].definition),
        "ahead": found["running"] if waits else [],
        "has_replica": visit.has_replica(asked.application),
    }


def _read_pause(connection: Connection, asked: PauseAsked, visit: Visit) -> Mapping[str, object]:
    found = _common(connection, asked, visit)
    until, wrong = None, ""
    try:
        until = _until(connection, asked)
    except DaemonError as error:
        wrong = str(error)
    end = visit.now + _DAY if until is None else visit.now + until if isinstance(until, timedelta) else until
    due = found["schedule"].instants(visit.now, found["row"].anchor)
    passed = sum(1 for _ in islice(takewhile(lambda instant: instant < end, due), _MOST_COUNTED + 1))
    return found | {"end": None if until is None else end, "count": passed, "most": _MOST_COUNTED, "wrong": wrong}


def _read_resume(connection: Connection, asked: ScheduleActAsked, visit: Visit) -> Mapping[str, object]:
    found = _common(connection, asked, visit)
    line, row = found["line"], found["row"]
    is_paused = line is not None and line.paused_at is not None
    return found | {
        "passed": foresee_resume(connection, row.application, row.name) if is_paused else 0,
        "impossible": "" if is_paused else "It is not paused.",
        "since": _typed_as(line.paused_at, found["zone"]) if line is not None and line.paused_at is not None else "",
    }


def _read_backfill(connection: Connection, asked: BackfillAsked, visit: Visit) -> Mapping[str, object]:
    found = _common(connection, asked, visit)
    zone, start = found["zone"], earliest(connection, found["row"])
    now = _rounded_up(visit.now, timedelta(minutes=1))
    begin = now - _DAY if start is None else max(now - _DAY, start)
    shown = {
        "first": asked.first or _typed_as(begin, zone),
        "last": asked.last or _typed_as(now, zone),
        "at_most": asked.at_most or "1",
    }
    foreseen, wrong = None, ""
    each: Sequence[SurveyedInstant] = ()
    try:
        foreseen, each = foresee_backfill(connection, _wanted(found["row"].application, asked, shown, zone))
    except DaemonError as error:
        wrong = str(error)
    seconds = None
    if foreseen is not None and found["usual"] is not None:
        seconds = found["usual"].median * foreseen.will_run / max(1, foreseen.at_most)
    nothing = "" if foreseen is None or foreseen.will_run else "No scheduled time in this span is left to run."
    return {
        **found,
        **shown,
        "foreseen": foreseen,
        "drawn": times_strip(each),
        "named": {fate: [one.instant for one in each if one.fate == fate] for fate in ("failed", "skipped", "none")},
        "most_named": _MOST_NAMED,
        "seconds": seconds,
        "wrong": wrong,
        "impossible": nothing,
    }


def _wanted(application: str, asked: BackfillAsked, typed: Mapping[str, str], zone: str) -> Wanted:
    first, last = (_moment(name, typed[name], zone, past=True, to_end=name == "last") for name in ("first", "last"))
    if not (typed["at_most"].isascii() and typed["at_most"].isdigit() and len(typed["at_most"]) < 6):
        raise Unfit(f'at most: "{typed["at_most"][:20]}" is not a whole number of 1 or more')
    return Wanted(application, asked.name, first, last, int(typed["at_most"]))


def _moment(name: str, text: str, zone: str, **how: Any) -> datetime:
    try:
        return typed_moment(text, lambda: zone, **how).instant
    except InvalidInstant as error:
        label = {"first": "from", "last": "to"}.get(name, name)
        raise InvalidInstant(f"{label}: {error}") from None


def _until(connection: Connection, asked: PauseAsked) -> datetime | timedelta | None:
    if not asked.until:
        return None
    if (given := duration_of(asked.until)) is not None:
        return given
    return _moment("until", asked.until, timezone_of(connection, asked.application, asked.name), more=_DURATIONS)


def _typed_as(instant: datetime, zone: str) -> str:
    """Return an instant as somebody would type it, in the schedule's time zone, to the second after it."""
    whole = _rounded_up(instant, timedelta(seconds=1))
    local = whole.astimezone(ZoneInfo(zone))
    if local.fold == 1:  # the clock shows that time twice
        return f"{whole.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    return f"{local:%Y-%m-%d %H:%M:%S}".removesuffix(":00")


def _rounded_up(instant: datetime, to: timedelta) -> datetime:
    over = (instant - datetime(1, 1, 1, tzinfo=UTC)) % to
    return instant if not over else instant - over + to


def _given(_connection: Connection, asked: ScheduleActAsked) -> dict[str, Any]:
    return {"application": asked.application, "schedule": asked.name}


def _given_run(connection: Connection, asked: RunNowAsked) -> Mapping[str, Any]:
    given = _given(connection, asked) | ({"key": asked.key} if asked.key else {})
    if not asked.params.strip():
        return given
    try:
        params = json.loads(asked.params)
    except (ValueError, RecursionError):
        params = None
    if not isinstance(params, dict):
        raise Unfit('params: it is not a JSON object; write it like {"customer": 7}')
    return given | {"params": params}


def _given_pause(connection: Connection, asked: PauseAsked) -> Mapping[str, Any]:
    until = _until(connection, asked)
    return _given(connection, asked) | ({} if until is None else {"until": until})


def _given_backfill(connection: Connection, asked: BackfillAsked) -> Mapping[str, Any]:
    zone = timezone_of(connection, asked.application, asked.name)
    typed = {"first": asked.first, "last": asked.last, "at_most": asked.at_most or "1"}
    wanted = _wanted(asked.application, asked, typed, zone)
    return _given(connection, asked) | {"first": wanted.first, "last": wanted.last, "at_most": wanted.at_most}


def _to_run(answer: Any) -> str:
    return f"runs/{answer.run_id}"


def _to_first(answer: Any) -> str:
    (one,) = answer.items
    return schedule_path(one.application, one.schedule)


def _to_schedule(answer: Any) -> str:
    return schedule_path(answer.application, answer.schedule)


def _page(act: str, asks: type[ScheduleActAsked], reads: Any) -> Page:
    return Page(f"/schedules/{{application}}/{{name}}/{act}", f"dialog_{act}", asks, reads, tab="overview")


RUN_NOW = Dialog(_page("run", RunNowAsked, _read_run), ACTS_BY_PATH["/trigger"], _given_run, _to_run)
PAUSE = Dialog(_page("pause", PauseAsked, _read_pause), ACTS_BY_PATH["/pause"], _given_pause, _to_first)
RESUME = Dialog(_page("resume", ScheduleActAsked, _read_resume), ACTS_BY_PATH["/resume"], _given, _to_first)
BACKFILL = Dialog(
    _page("backfill", BackfillAsked, _read_backfill), ACTS_BY_PATH["/backfill"], _given_backfill, _to_schedule
)
