"""All SQL of replicas and of the audit, one function per statement: a module per table, and one for each question to several of them.

Each takes a connection and runs in the caller's transaction. Row locks are taken in the order schedule, lease, run, job run
(rule 15); where a statement comes out of that order, it passes over what is locked and waits for nothing.
"""

from . import agenda, audit, job_run, replica, run, schedule, stranded

__all__ = ["agenda", "audit", "job_run", "replica", "run", "schedule", "stranded"]
