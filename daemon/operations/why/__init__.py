"""Why a schedule or a run does or does not run at this moment: one sentence, its evidence, and what to do."""

from .explanation import Evidence, Explanation, Moments, State
from .of_run import SaidOfRun, explained, read_said_of_run, read_why_run
from .of_schedule import read_why_schedule, why_not_active

__all__ = [
    "Evidence",
    "Explanation",
    "Moments",
    "SaidOfRun",
    "State",
    "explained",
    "read_said_of_run",
    "read_why_run",
    "read_why_schedule",
    "why_not_active",
]
