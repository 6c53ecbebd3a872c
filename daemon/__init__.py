"""Schedules whose runs hold a lease: each due instant is one run, and no job runs twice at once.

The rooms, from the door down; each imports only what stands below it, and says in its first line what belongs in it:

    cli                               the command
    service                           one replica as a process: settings, loop, signals, supervisor
    web                               HTTP
    operations                        what people do to schedules and runs
    execution   recovery   audit      a claimed run to its end; what the dead left; the checker
    scheduling   jobs                 from definitions to run rows; one job at work
    definitions   store   telemetry   what is to run, and when; tables and statements; facts
    errors, instants, text, version

A run's way through them: `scheduling.plan` decides what is due and `scheduling.plan_due` writes it, `execution.claim` takes it under a lease,
`execution.run_execution` runs its jobs, `execution.next_step` decides what follows and `execution.completion` writes it; `recovery.settle` ends
what others left. The lease itself is in the package `lease`.
"""

from .definitions.sources.schedules import Schedules
from .jobs.run import AsyncRun, Run

__all__ = ["AsyncRun", "Run", "Schedules"]
