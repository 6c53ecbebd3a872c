"""The SQL statements of replicas and of the audit, one function each.

There is a module per table, one for each question to several tables, `acting` for what people do,
`requests` for runs that they request, `keeping` for what goes of the history, and `sets` for what many
runs need at once. A statement runs in the caller's transaction. Row locks are taken in the order
schedule, lease, run, job run (rule 15); a statement outside that order skips locked rows and waits
for none.
"""

from . import (
    adoption,
    agenda,
    audit,
    delivery,
    generation,
    job_run,
    put_off,
    queues,
    renames,
    replica,
    restored,
    run,
    schedule,
    stranded,
)
from .acting import acts, backfills, cancel, cancels, forget, looks, pauses, retries
from .keeping import old_records, old_runs
from .requests import feeding, placing, requesting
from .sets import claims, ends, late, long, plans, replacements, starts

__all__ = [
    "acts",
    "adoption",
    "agenda",
    "audit",
    "backfills",
    "cancel",
    "cancels",
    "claims",
    "delivery",
    "ends",
    "feeding",
    "forget",
    "generation",
    "job_run",
    "late",
    "long",
    "looks",
    "old_records",
    "old_runs",
    "pauses",
    "placing",
    "plans",
    "put_off",
    "queues",
    "renames",
    "replacements",
    "replica",
    "requesting",
    "restored",
    "retries",
    "run",
    "schedule",
    "starts",
    "stranded",
]
