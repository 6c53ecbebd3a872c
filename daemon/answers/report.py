"""The answer about what became of all that was due in a night."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..store.views.report import Act, Deploy, OutageLine, Report, ScheduleReport, Totals
from . import filled


@dataclass(frozen=True, slots=True)
class ReportAnswer:
    """The answer of `leased report --json`."""

    database_time: datetime
    since: datetime
    until: datetime
    ok: bool
    verdict: str
    totals: Totals
    deploys: Sequence[Deploy]
    acts: Sequence[Act]
    outages: Sequence[OutageLine]
    pruned_until: datetime | None
    """Runs of scheduled times up to then may have been deleted (`keep`)."""
    items: Sequence[ScheduleReport]
    """The schedules of which something was due, the ones with problems first."""


def report_answer(found: Report) -> ReportAnswer:
    """Return the report as one object."""
    return filled(ReportAnswer, found)
