"""Settling runs whose grant ended without them: what a crash left, and what its holder lost (rules 16 and 18).

The attempt is ended and the run goes on at the first job that is not done. It waits for no lock: what somebody works on is
left to the next time.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

import lease.statements
from lease.model import Grant

from ..jobs.processes.identity import ProcessIdentity
from ..scheduling.lease_names import rename_leases
from ..store import statements
from ..store.statements.stranded import StrandedRun

MOST_ABANDONED = 3
"""After so many abandoned attempts without a job finished between them the run fails."""

Settlement = Literal["abandoned", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class SettledRun:
    """A run that was taken from its holder."""

    run_id: int
    schedule: str
    grant: Grant
    outcome: Settlement
    """abandoned: its process died, it goes on elsewhere; stopped: its holder lived and lost the lease, which uses up
    nothing; failed: it was abandoned too often."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A replica of this boot and pid namespace whose life can be checked, with what it holds."""

    holder: str
    replica: ProcessIdentity
    grants: tuple[Grant, ...]
    keepers: tuple[ProcessIdentity, ...]


def settle(connection: Connection, application: str | None = None) -> list[SettledRun]:
    """Settle the running runs whose lease is stale, or has ended already; of one application or of all."""
    found = statements.stranded.find(connection, application)
    if not found:
        return []
    free = _of_free_schedules(connection, found)
    ended = set(lease.statements.settle(connection, [run.grant for run in free if not run.ended]))
    return _settle(connection, [run for run in free if run.ended or run.grant in ended])


def settle_dead(connection: Connection, grants: Collection[Grant]) -> list[SettledRun]:
    """Settle the runs under these grants, stale or not. Only for holders whose death, and whose work's, is proven."""
    if not grants:
        return []
    free = _of_free_schedules(connection, statements.stranded.under(connection, grants))
    ended = set(lease.statements.end_dead(connection, [run.grant for run in free]))
    return _settle(connection, [run for run in free if run.grant in ended])


def suspects(connection: Connection, application: str, boot_id: str, pid_namespace: str) -> list[Suspect]:
    """Return the replicas with running runs that this machine can judge: registered on this boot, in this namespace."""
    found: dict[str, Suspect] = {}
    for row in statements.stranded.suspects(connection, application, boot_id, pid_namespace):
        grant = Grant(row.lease_name, row.token, row.holder)
        before = found.get(row.holder)
        keepers = before.keepers if before else ()
        if row.keeper_pid is not None:
            keepers = (*keepers, ProcessIdentity(row.keeper_pid, row.keeper_start))
        grants = before.grants if before else ()
        if grant not in grants:
            grants = (*grants, grant)
        found[row.holder] = Suspect(row.holder, ProcessIdentity(row.pid, row.start_time), grants, keepers)
    return list(found.values())


def _of_free_schedules(connection: Connection, found: list[StrandedRun]) -> list[StrandedRun]:
    if not found:
        return []
    locked = statements.schedule.lock_free(connection, {(run.application, run.schedule) for run in found})
    return [run for run in found if (run.application, run.schedule) in locked]


def _settle(connection: Connection, runs: list[StrandedRun]) -> list[SettledRun]:
    lived = [run for run in runs if run.lived]
    died = [run for run in runs if not run.lived]
    states: dict[int, str] = {}
    if lived:
        states |= dict.fromkeys(statements.stranded.stop_runs(connection, lived), "stopped")
        statements.stranded.end_jobs(connection, lived, "stopped")
    if died:
        reason = f"{MOST_ABANDONED} attempts were abandoned: each time its process died, or leased itself failed, before it was done"
        states |= statements.stranded.abandon_runs(connection, died, MOST_ABANDONED, reason)
        statements.stranded.end_jobs(connection, died, "abandoned")
    settled = [
        SettledRun(run.run_id, run.schedule, run.grant, _outcome(states[run.run_id]))
        for run in runs
        if run.run_id in states
    ]
    for application, schedule in sorted({(run.application, run.schedule) for run in runs if run.run_id in states}):
        rename_leases(connection, application, schedule)
    over = {(run.application, run.schedule) for run in runs if states.get(run.run_id) == "failed"}
    for application, schedule in sorted(over):
        statements.run.promote(connection, application, schedule)
    return settled


def _outcome(state: str) -> Settlement:
    match state:
        case "failed":
            return "failed"
        case "stopped":
            return "stopped"
        case _:
            return "abandoned"
