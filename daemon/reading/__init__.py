"""What people and programs read of the daemon's tables: frozen values, each read in few statements however long the history."""

from .history import JobRun, Run, RunDetail, read_run, read_runs
from .holdings import Lock, ReplicaLine, read_locks, read_replicas
from .names import applications_with, schedule_names
from .overview import Overview, RunningJob, RunningRun, ScheduleLine, WaitingRun, read_overview
from .problems import Problem, problems
from .summary import JobSummary, Summary, summary
from .values import NotFound, plain

__all__ = [
    "JobRun",
    "JobSummary",
    "Lock",
    "NotFound",
    "Overview",
    "Problem",
    "ReplicaLine",
    "Run",
    "RunDetail",
    "RunningJob",
    "RunningRun",
    "ScheduleLine",
    "Summary",
    "WaitingRun",
    "applications_with",
    "plain",
    "problems",
    "read_locks",
    "read_overview",
    "read_replicas",
    "read_run",
    "read_runs",
    "schedule_names",
    "summary",
]
