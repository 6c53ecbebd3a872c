"""Schedules whose runs hold a lease: no lease has two holders at once.

    from daemon import Run, Schedules

    schedules = Schedules("shop", timezone="Europe/Berlin")

    @schedules.cron("0 2 * * *", timeout="1h")
    def nightly(run: Run) -> None: ...

`leased run FILE` runs these. Every scheduled time of an enabled schedule has exactly one run record,
until `keep` deletes it. By default one run of a schedule is active at a time.

The rest is for those who change the code. The rooms, from the door down. Each imports only what stands below it, those
in one row do not import each other, and each says in its first line what belongs in it:

    testing   cli                     a replica that a test moves; the command
    schedules                         `Schedules`, as programs use it
    service                           one replica as a process: settings, loop, signals, supervisor
    delivery                          messages and pings, from the outbox to their targets
    web                               HTTP
    answers                           what commands and the API answer
    operations                        what people do to schedules and runs, and ask of generations
    execution   recovery   audit      a claimed run to its end; what dead replicas left; the checker
    pruning                           history that stays small
    scheduling   jobs                 which definitions rule, and their run rows; one job at work
    definitions   store   telemetry   what is to run, and when; tables and statements; facts
    errors, instants, states, text, version

The life of a run, in the order in which to read it: some 3,000 lines, which call little that must be known first.

    service.replica            `tick`: what a replica does in each turn of its loop
    scheduling.plan            what becomes of each due instant
    scheduling.plan_due        the transaction that plans, and writes its rows
    execution.claim            the run is claimed under a lease
    execution.run_execution    its jobs in order; `execution.attempt` is one attempt of one of them
    execution.next_step        what follows when a job has ended
    execution.held_run         what the holder of a run writes; `execution.writes` carries it out
    recovery.settle            the run goes on when its holder is dead

The lease itself is in the package `lease`.

Which definitions are active, while replicas run several: `scheduling.generations` decides it,
`scheduling.deploys.bring` writes it, and `scheduling.deploys.rollout` is a replica's part in it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .jobs.run import AsyncRun, Run
    from .schedules import EmbeddedReplica, Schedules

__all__ = ["AsyncRun", "EmbeddedReplica", "Run", "Schedules"]

_MODULE_OF = {"AsyncRun": "jobs.run", "EmbeddedReplica": "schedules", "Run": "jobs.run", "Schedules": "schedules"}


if not TYPE_CHECKING:  # otherwise a type checker would accept any name

    def __getattr__(name: str) -> object:
        """Import a public name on first use, because a command or a child needs few packages."""
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
