"""The SQL statements of replicas and of the audit, one function each.

There is a module per table, and one for each question to several tables. A statement runs in the
caller's transaction. Row locks are taken in the order schedule, lease, run, job run (rule 15); a
statement outside that order skips locked rows and waits for none.
"""

from . import adoption, agenda, audit, cancel, generation, job_run, replica, restored, run, schedule, stranded

__all__ = [
    "adoption",
    "agenda",
    "audit",
    "cancel",
    "generation",
    "job_run",
    "replica",
    "restored",
    "run",
    "schedule",
    "stranded",
]
