"""The page of the activity: who did what, when and why."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import Connection

from ...states import Act
from ...store.views.acting import ActLine, read_activity
from ...store.views.names import require_schedule
from ..api.asked import Parameters, RunId, Text
from .links import query_with
from .page import Page, Visit

ROWS = 50
_READ = 1_000
"""So many acts are read for the rows of a page."""
_TOGETHER = timedelta(seconds=5)
"""Acts on many are recorded one after the other, within this time."""
_NAMED = 3
TITLES: Mapping[Act, tuple[str, str]] = {
    "trigger": ("running", "requested a run"),
    "pause": ("paused", "paused"),
    "resume": ("running", "resumed"),
    "cancel": ("cancelled", "cancelled"),
    "retry": ("resumed", "retried"),
    "backfill": ("backfill", "backfilled"),
    "forget": ("cancelled", "deleted contents"),
    "deploy": ("deploy", "deployed"),
    "take-over": ("deploy", "took over"),
    "acknowledge": ("ok", "acknowledged"),
    "retire": ("cancelled", "retired"),
}
"""The glyph of an act, and what somebody did."""
_ACTIONS: Sequence[tuple[Act, str]] = (
    ("trigger", "Runs requested"),
    ("pause", "Pauses"),
    ("resume", "Resumes"),
    ("cancel", "Cancels"),
    ("retry", "Retries"),
    ("backfill", "Backfills"),
    ("deploy", "Deploys"),
)
"""The filters, and what they are called."""


class ActivityPageAsked(Parameters):
    """Which acts are listed."""

    by: Text | None = None
    action: Act | None = None
    application: Text | None = None
    schedule: Text | None = None
    before: RunId | None = None
    """The next page: only what was done before the act of this number."""


@dataclass(frozen=True, slots=True)
class ActRow:
    """An act, on one thing or on many."""

    acts: Sequence[ActLine]

    @property
    def first(self) -> ActLine:
        """The latest of them."""
        return self.acts[0]

    @property
    def named(self) -> Sequence[ActLine]:
        """Those that are named."""
        return self.acts if len(self.acts) <= _NAMED else self.acts[: _NAMED - 1]

    @property
    def kind(self) -> Literal["run", "schedule", "application"]:
        """What it was done to."""
        return "run" if self.first.run_id is not None else "schedule" if self.first.schedule else "application"


def _read(connection: Connection, asked: ActivityPageAsked, visit: Visit) -> Mapping[str, object]:
    del visit
    require_schedule(connection, asked.schedule, asked.application)
    found = read_activity(
        connection,
        limit=_READ,
        application=asked.application,
        schedule=asked.schedule,
        by=asked.by,
        what=asked.action,
        before=asked.before,
    )
    rows = together(found)
    shown = rows[:ROWS]
    is_more = len(rows) > ROWS or len(found) == _READ
    given = asked.model_dump(exclude_none=True)
    return {
        "asked": asked,
        "rows": shown,
        "titles": TITLES,
        "actions": [(act, TITLES[act][0], words) for act, words in _ACTIONS],
        "link": lambda **changed: query_with(given, changed) or "?",
        "next_acts": query_with(given, {"before": shown[-1].acts[-1].act_id}) if is_more else "",
        "is_filtered": bool(given.keys() - {"before"}),
    }


def together(acts: Iterable[ActLine]) -> list[ActRow]:
    """Return acts as rows, the latest first: what somebody did to many at once is one."""
    rows: list[list[ActLine]] = []
    for one in acts:
        if rows and _is_same(rows[-1][-1], one):
            rows[-1].append(one)
        else:
            rows.append([one])
    return [ActRow(group) for group in rows]


def _is_same(later: ActLine, one: ActLine) -> bool:
    kinds = [(of.acted_by, of.act, of.application, of.why, of.until) for of in (later, one)]
    return kinds[0] == kinds[1] and later.acted_at - one.acted_at <= _TOGETHER


ACTIVITY = Page("/activity", "activity", ActivityPageAsked, _read)
