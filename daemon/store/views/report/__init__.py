"""What became of all that was due between two moments: a night on one screen (`leased report`)."""

from .read import read_report
from .report import Act, Deploy, OutageLine, Report, ScheduleReport, Totals

__all__ = ["Act", "Deploy", "OutageLine", "Report", "ScheduleReport", "Totals", "read_report"]
