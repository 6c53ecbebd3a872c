"""The daemon's tables, on PostgreSQL and SQLite; a change here needs a migration.

The states of `daemon.states` are CHECK constraints.
"""

from .acts import act, backfill, trigger_key
from .columns import metadata
from .deliveries import delivery
from .jobs import job_output, job_run
from .replicas import generation, replica
from .schedules import pruned, run, schedule

__all__ = [
    "act",
    "backfill",
    "delivery",
    "generation",
    "job_output",
    "job_run",
    "metadata",
    "pruned",
    "replica",
    "run",
    "schedule",
    "trigger_key",
]
