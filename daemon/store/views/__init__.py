"""The views of the tables for people and programs: frozen values, each read in a few statements."""

from ...errors import NotFound
from ..statements.schedule import database_time
from .acting import ActLine, BackfillLine, read_activity, read_backfills
from .causes import paused_text, sentence
from .defined import Remaining, RetiredSchedule, read_remaining, read_retirements, retirement
from .generations import GenerationLine, RunBy, read_generations
from .history import JobRunLine, JobSummary, RunDetail, RunLine, Summary, read_run, read_runs, summary
from .locks import Lock, read_locks, require_lease
from .names import (
    Called,
    RunMeant,
    applications,
    applications_with,
    keys_named,
    missing_run,
    nearest_of,
    require_application,
    require_schedule,
    runs_meant,
    schedule_names,
    schedules_named,
    schedules_tagged,
    timezone_of,
)
from .output import OutputOfRun, OutputPart, OutputReader, last_lines
from .overview import Overview, RunningJob, RunningRun, ScheduleLine, WaitingRun, read_overview
from .problems import Problem, naming, past_problems, problems
from .replicas import ReplicaLine, read_last_alive, read_replicas
from .setbacks import LeftOut, TryingRun, read_past
from .values import plain

__all__ = [
    "ActLine",
    "BackfillLine",
    "Called",
    "GenerationLine",
    "JobRunLine",
    "JobSummary",
    "LeftOut",
    "Lock",
    "NotFound",
    "OutputOfRun",
    "OutputPart",
    "OutputReader",
    "Overview",
    "Problem",
    "Remaining",
    "ReplicaLine",
    "RetiredSchedule",
    "RunBy",
    "RunDetail",
    "RunLine",
    "RunMeant",
    "RunningJob",
    "RunningRun",
    "ScheduleLine",
    "Summary",
    "TryingRun",
    "WaitingRun",
    "applications",
    "applications_with",
    "database_time",
    "keys_named",
    "last_lines",
    "missing_run",
    "naming",
    "nearest_of",
    "past_problems",
    "paused_text",
    "plain",
    "problems",
    "read_activity",
    "read_backfills",
    "read_generations",
    "read_last_alive",
    "read_locks",
    "read_overview",
    "read_past",
    "read_remaining",
    "read_replicas",
    "read_retirements",
    "read_run",
    "read_runs",
    "require_application",
    "require_lease",
    "require_schedule",
    "retirement",
    "runs_meant",
    "schedule_names",
    "schedules_named",
    "schedules_tagged",
    "sentence",
    "summary",
    "timezone_of",
]
