"""The SQL statements of replicas and of the audit, one function each.

There is a module per table, and one for each question to several tables: `agenda` for what there is to do, `claims` for
runs from their claim to their end, `requests` for runs that people request, `acting` for what else they do, and `keeping`
for what goes of the history. A statement runs in the caller's transaction. Row locks are taken in the order schedule,
lease, run, job run (rule 15); a statement outside that order skips locked rows and waits for none.
"""
# ruff: noqa: F401 - a statement is called by its module: statements.run.read

from . import agenda, audit, claims, delivery, generation, job_run, keeping, replica, requests, run, schedule, stranded
from .acting import acts, backfills, renames, retries
