"""The SQL statements of replicas and of the audit, one function each.

There is a module per table, one for each question to several tables, `acting` for what people do, `requests` for runs
that they request, `keeping` for what goes of the history, and `sets` for what many runs need at once. A statement runs
in the caller's transaction. Row locks are taken in the order schedule, lease, run, job run (rule 15); a statement
outside that order skips locked rows and waits for none.
"""
# ruff: noqa: F401 - a statement is called by its module: statements.run.read

from . import agenda, audit, delivery, generation, job_run, keeping, renames, replica, requests, run, schedule, stranded
from .acting import acts, backfills, retries
from .sets import claims, ends, plans
