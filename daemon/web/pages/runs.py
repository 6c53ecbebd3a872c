"""The list of runs, and what a row of it shows: here, and on the page of a schedule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection

from ...store.views.history import LOOKED_AT, RunLine, RunSearch, Sought, find_runs, replicas_of, zones_of
from ...store.views.names import require_schedule
from ...text import shortened
from ..api.asked import Parameters, RunId, Text
from . import states
from .links import query_with
from .moments import ShownTimes
from .page import Page, Visit
from .states import Shown

SHOWN = 50
CHIPS: Sequence[tuple[Sought, str, Shown]] = (
    ("running", "Running", states.RUNS["running"]),
    ("pending", "Waiting", states.RUNS["pending"]),
    ("failed", "Failed", states.RUNS["failed"]),
    ("crashed", "Crashed", states.ATTEMPTS["abandoned"]),
    ("skipped", "Skipped", states.RUNS["skipped"]),
    ("missed", "Missed", states.MISSED),
    ("cancelled", "Cancelled", states.RUNS["cancelled"]),
    ("succeeded", "Succeeded", states.RUNS["succeeded"]),
)
"""The filters, what they are called, and how they look."""


class RunsPageAsked(Parameters):
    """Which runs are listed."""

    state: Sought | None = None
    application: Text | None = None
    schedule: Text | None = None
    q: Annotated[Text | None, Field(description="Text in the name of the schedule.")] = None
    backfill: RunId | None = None
    before: RunId | None = None


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as a row of a table."""

    run: RunLine
    shown: Shown
    zone: str
    """The time zone of its schedule."""
    replica: str | None
    note: str | None
    """Why it is as it is, on one line."""


def rows_of(connection: Connection, runs: Sequence[RunLine], visit: Visit) -> list[RunRow]:
    """Return runs as rows, in two statements."""
    run_ids = [one.run_id for one in runs]
    zones, replicas = zones_of(connection, run_ids), replicas_of(connection, run_ids)
    shown = ShownTimes(visit.now, visit.looker.zone)
    rows = []
    for run in runs:
        zone = zones.get((run.application, run.schedule), "UTC")
        said = run.in_words(lambda moment, zone=zone: shown.text(moment, zone))  # type: ignore[misc]
        rows.append(RunRow(run, states.of_run(run.state, run.reason), zone, replicas.get(run.run_id), _note(run, said)))
    return rows


def _note(run: RunLine, said: str | None) -> str | None:
    """Return the second line of a row, without what its state says."""
    words = said or ""
    for state in ("missed: ", "overlap: ", "cancelled "):
        words = words.removeprefix(state)
    parts = [words, f"printed last: {run.last_output}" if run.last_output else "", run.retries_in_words or ""]
    return shortened(" · ".join(filter(None, parts)), 300) or None


def _read(connection: Connection, asked: RunsPageAsked, visit: Visit) -> Mapping[str, object]:
    require_schedule(connection, asked.schedule, asked.application)
    search = RunSearch(asked.state, asked.application, asked.schedule, asked.q, asked.backfill)
    found = find_runs(connection, search, before=asked.before, limit=SHOWN)
    given = asked.model_dump(exclude_none=True)
    overview = visit.status.overview
    return {
        "asked": asked,
        "rows": rows_of(connection, found.runs, visit),
        "found": found,
        "chips": CHIPS,
        "looked_at": LOOKED_AT,
        "counts": {"running": len(overview.running), "pending": overview.waiting_count},
        "link": lambda **changed: "runs" + query_with(given, changed),
        "is_filtered": bool(given.keys() - {"before"}),
    }


RUNS = Page("/runs", "runs", RunsPageAsked, _read)
