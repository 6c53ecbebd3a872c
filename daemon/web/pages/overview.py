"""The first page: what is wrong, what runs, what comes, and the schedules."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field
from sqlalchemy import Connection

from ...states import ON_REQUEST
from ...store.policies import read_policies
from ...store.tables import ScheduleKey
from ...store.views.defined import read_stored
from ...store.views.lately import read_strips
from ...store.views.names import read_tags
from ...store.views.overview import Overview, RunningRun, ScheduleLine
from ...store.views.usual import read_usual
from ...text import shortened
from ..api.asked import Parameters, Text
from .coming import soon
from .links import query_with
from .moments import ShownTimes, count
from .now import MOST_RUNNING, NextHour, running_now, warning, worst_first
from .page import Page, Visit
from .rows import AtWork, Read, RowMaker, at_work
from .standing import Listed, Standings, counts, listed, read_key, standings
from .states import SCHEDULES, Standing
from .troubles import troubles

SHOWN = 100
"""So many schedules are on a page."""
CHIPS: Sequence[Standing] = (
    *("failing", "late", "stuck", "long", "skipping", "missed"),
    *("running", "waiting", "backfill", "paused", "new"),
)
"""The states by which the schedules can be filtered …"""
RARE: Sequence[Standing] = ("stuck", "backfill", "new")
"""… of which these are offered only if one is so."""


def _fit(key: str) -> str:
    read_key(key)
    return key


class OverviewAsked(Parameters):
    """Which schedules are listed."""

    state: Standing | None = None
    application: Text | None = None
    tag: Text | None = None
    q: Annotated[Text | None, Field(description="Text in the name or in a tag of a schedule.")] = None
    after: Annotated[str | None, Field(max_length=10_000), AfterValidator(_fit)] = None


def _read(connection: Connection, asked: OverviewAsked, visit: Visit) -> Mapping[str, object]:
    overview, found = visit.status.overview, standings(visit.status)
    chosen, work = choose(connection, asked, overview, found), at_work(visit.status)
    running, (coming, more_coming) = sorted(overview.running, key=worst_first)[:MOST_RUNNING], soon(overview.schedules)
    following = min(filter(_is_ahead, overview.schedules), key=lambda line: (line.due_in, line.schedule), default=None)
    paused = [line for line in overview.schedules if line.paused_at is not None]
    started = {line.last_run_id or 0: line.last_started_at for line in overview.schedules if line.last_started_at}
    others = [*(one.line for one in coming), *([following] if following else []), *paused[:1]]
    read = _details(connection, chosen.lines, others, running, work)
    zones = {key: read_policies(definition).timezone for key, (definition, _) in read.stored.items()}
    t, given = ShownTimes(visit.now, visit.looker.zone), asked.model_dump(exclude_none=True)
    return {
        "asked": asked,
        "troubles": troubles(visit.status),
        "calm": calm(overview.schedules, t, zones, retired=len(overview.retired)),
        "retired": overview.retired,
        "running": [running_now(one, read, started, visit.now) for one in running],
        "running_count": len(overview.running),
        "coming": [NextHour(one, zones.get(_key(one.line), "UTC"), warning(one, read, work)) for one in coming],
        "more_coming": more_coming,
        "hour_end": visit.now + timedelta(hours=1),
        "following": following,
        "overdue": any(_is_due(line) and not _is_ahead(line) for line in overview.schedules),
        "following_zone": None if following is None else zones.get(_key(following)),
        "chips": [(each, SCHEDULES[each]) for each in CHIPS],
        "rare": RARE,
        "counts": counts(found),
        "rows": [*map(RowMaker(read, found, work, t).of, chosen.lines)],
        "chosen": chosen,
        "total": len(overview.schedules),
        "is_filtered": bool(given.keys() - {"after"}),
        "hidden": _hidden(asked, len(overview.schedules)),
        "link": lambda **changed: query_with(given, changed),
        "here_zone": Counter(zones.values()).most_common(1)[0][0] if zones else "UTC",
    }


def _details(
    connection: Connection,
    listed: Sequence[ScheduleLine],
    others: Sequence[ScheduleLine],
    running: Sequence[RunningRun],
    work: AtWork,
) -> Read:
    """Read what the status does not say of the schedules that are shown."""
    keys, at_work = {*map(_key, listed)}, {*map(_key, running)}
    also = {*map(_key, others)}
    return Read(
        read_stored(connection, keys | at_work | also),
        read_strips(connection, keys),
        read_usual(connection, keys | at_work | {key for key in also if key in work.running}),
    )


def choose(connection: Connection, asked: OverviewAsked, overview: Overview, found: Standings) -> Listed:
    """Return the schedules that are asked for."""
    tags = read_tags(connection) if asked.tag or asked.q else {}
    lines = [line for line in overview.schedules if _matches(line, asked, found, tags)]
    return listed(lines, found, None if asked.after is None else read_key(asked.after), SHOWN)


def _matches(
    line: ScheduleLine, asked: OverviewAsked, found: Standings, tags: Mapping[ScheduleKey, Collection[str]]
) -> bool:
    own = tags.get(_key(line), ())
    text = (asked.q or "").casefold()
    return (
        (asked.state is None or asked.state in found[_key(line)])
        and (asked.application is None or asked.application == line.application)
        and (asked.tag is None or asked.tag in own)
        and (not text or text in line.schedule.casefold() or any(text in tag.casefold() for tag in own))
    )


def _key(line: ScheduleLine | RunningRun) -> ScheduleKey:
    return line.application, line.schedule


def _is_due(line: ScheduleLine) -> bool:
    return line.enabled and line.due_in is not None and line.paused_at is None


def _is_ahead(line: ScheduleLine) -> bool:
    return _is_due(line) and (line.due_in or 0.0) > 0


def calm(lines: Sequence[ScheduleLine], t: ShownTimes, zones: Mapping[ScheduleKey, str], *, retired: int = 0) -> str:
    """Return what is known to be right, if nothing is wrong: no more than was looked at."""
    paused = [line for line in lines if line.paused_at is not None]
    disabled = sum(not line.enabled for line in lines if line.paused_at is None)
    timed = sum(map(_is_due, lines))
    asked = sum(line.timing == ON_REQUEST for line in lines if line.paused_at is None and line.enabled)
    others = len(lines) - len(paused) - disabled - timed - asked
    parts = [f"{count(timed)} schedule{' is' if timed == 1 else 's are'} on time"] if timed else []
    parts += [f"{count(asked)} run{'s' if asked == 1 else ''} on request only"] if asked else []
    parts += [f"{count(others)} {'has' if others == 1 else 'have'} no scheduled time left"] if others else []
    if paused:
        until = {line.paused_until for line in paused}
        end = until.pop() if len(until) == 1 else None
        word = "" if end is None else f" until {t.text(end, zones.get(_key(paused[0])))}"
        parts.append(f"{count(len(paused))} {'is' if len(paused) == 1 else 'are'} paused{word}")
    parts += [f"{count(disabled)} {'is' if disabled == 1 else 'are'} disabled"] if disabled else []
    parts += [f"{count(retired)} {'was' if retired == 1 else 'were'} retired in the last day"] if retired else []
    return "; ".join(parts)


def _hidden(asked: OverviewAsked, total: int) -> str:
    """Return which filters hide how many schedules."""
    given = [("state", asked.state), ("application", asked.application), ("tag", asked.tag), ("text", asked.q)]
    names = [f"{kind} “{shortened(value, 60)}”" for kind, value in given if value]
    return f"The filter {' and '.join(names)} hides {count(total)} schedules." if names else "There are no more."


OVERVIEW = Page("/", "overview", OverviewAsked, _read)
