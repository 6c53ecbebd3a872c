"""The settling of runs whose grant has ended: left by a crash, or lost by their holder.

Rules 16 and 18. The attempt is ended and the run goes on at the first job that is not done.
Settling waits for no lock: what another transaction has locked is left to the next time.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row

import lease.statements
from lease.clock import boot_id
from lease.database.database import Database
from lease.model import Grant

from ..jobs.processes.identity import ProcessIdentity, end_leftovers, is_alive, pid_namespace
from ..scheduling.telling import Told, tell
from ..states import MOST_ABANDONED, DeliveryKind, RunState, Settlement
from ..store import statements
from ..store.statements.stranded import StrandedRun
from ..telemetry.facts import Notify, RunRecovered, RunSubject
from .deaths import DeathWatch, Neighbour

_REASON = (
    f"{MOST_ABANDONED} attempts in a row were abandoned: "
    "each time the process died, or leased itself failed, before the job was done"
)
_LAST_CHANCE = (
    f"{MOST_ABANDONED - 1} attempts in a row were abandoned: "
    "it starts only where no other such run is running, to find the run that kills its replica"
)


_TOLD: Mapping[Settlement, tuple[DeliveryKind, ...]] = {
    "abandoned": ("run.abandoned",),
    "failed": ("run.failed", "ping.fail"),
}


@dataclass(frozen=True, slots=True)
class SettledRun:
    """A run that was taken from its holder."""

    run_id: int
    schedule: str
    grant: Grant
    outcome: Settlement
    lived: bool = False
    """Its holder did not die, but had lost the lease, or gave it up."""


@dataclass(frozen=True, slots=True)
class Suspect(Neighbour):
    """A replica of this boot and pid namespace whose process can be checked, with what it holds."""

    grants: tuple[Grant, ...]
    keepers: tuple[ProcessIdentity, ...]


def settle(connection: Connection, application: str | None = None) -> list[SettledRun]:
    """Settle the running runs whose lease is stale or has ended, of one application or of all."""
    _end_marked(connection, application)
    found = statements.stranded.find(connection, application)
    if not found:
        return []
    free = _of_free_schedules(connection, found)
    ended = set(lease.statements.settle(connection, [run.grant for run in free if not run.ended]))
    return _settle(connection, [run for run in free if run.ended or run.grant in ended])


def settle_dead(connection: Connection, grants: Collection[Grant], *, by_bug: bool = False) -> list[SettledRun]:
    """Settle the runs under these grants, stale or not, whose holders and work are proven dead.

    With ``by_bug`` an error of leased itself has ended them: it counts also before any work was begun,
    or it would come again without end.
    """
    if not grants:
        return []
    free = _of_free_schedules(connection, statements.stranded.under(connection, grants))
    ended = set(lease.statements.end_dead(connection, [run.grant for run in free]))
    runs = [run for run in free if run.grant in ended]
    return _settle(connection, [replace(run, begun=True) for run in runs] if by_bug else runs)


def suspects(connection: Connection, application: str, boot_id: str, pid_namespace: str) -> list[Suspect]:
    """Return the replicas with running runs that can be judged here: of this boot and namespace."""
    of_holder: dict[str, list[Row[Any]]] = {}
    for row in statements.stranded.suspects(connection, application, boot_id, pid_namespace):
        of_holder.setdefault(row.holder, []).append(row)
    return [
        Suspect(
            holder,
            ProcessIdentity(rows[0].pid, rows[0].start_time),
            tuple(dict.fromkeys(Grant(row.lease_name, row.token, holder) for row in rows)),
            tuple(ProcessIdentity(row.keeper_pid, row.keeper_start) for row in rows if row.keeper_pid is not None),
        )
        for holder, rows in of_holder.items()
    ]


def _of_free_schedules(connection: Connection, found: list[StrandedRun]) -> list[StrandedRun]:
    if not found:
        return []
    locked = statements.schedule.lock_free(connection, {(run.application, run.schedule) for run in found})
    return [run for run in found if (run.application, run.schedule) in locked]


def _settle(connection: Connection, runs: list[StrandedRun]) -> list[SettledRun]:
    """Put these runs back, or end them, and write the messages about those whose process died, or that failed by it."""
    lived = [run for run in runs if run.lived or not run.begun]
    died = [run for run in runs if run.begun and not run.lived]
    states: dict[int, RunState] = {}
    if lived:
        states |= statements.stranded.stop_runs(connection, lived)
        statements.stranded.end_jobs(connection, lived, "stopped")
    if died:
        states |= statements.stranded.abandon_runs(connection, died, MOST_ABANDONED, _REASON, _LAST_CHANCE)
        statements.stranded.end_jobs(connection, died, "abandoned")
    settled: list[SettledRun] = []
    over: set[tuple[str, str]] = set()
    told: dict[str, list[Told]] = {}
    for run in runs:
        if (state := states.get(run.run_id)) is None:
            continue
        outcome: Settlement = "abandoned" if run.begun and not run.lived else "stopped"
        if state in {"failed", "cancelled"}:
            outcome = state
            over.add((run.application, run.schedule))
        settled.append(SettledRun(run.run_id, run.schedule, run.grant, outcome, run.lived))
        of_run = [Told(kind, run.schedule, run.run_id) for kind in _TOLD.get(outcome, ())]
        told.setdefault(run.application, []).extend(of_run)
    statements.claims.promote(connection, over)
    for application, these in told.items():
        tell(connection, application, these)
    return settled


def _end_marked(connection: Connection, application: str | None) -> None:
    """Record the end of pending runs marked as cancelled (rule 23), which an older version, without marks, put back."""
    found = statements.run.find_marked(connection, application)
    if not found:
        return
    free = statements.schedule.lock_free(connection, {(row.application, row.schedule) for row in found})
    statements.run.end_marked(connection, [row.id for row in found if (row.application, row.schedule) in free])
    statements.claims.promote(connection, free)


@dataclass(eq=False)
class Settler:
    """Settles the runs of an application for the replica ``holder``, and reports each; ``called`` names a schedule."""

    database: Database
    application: str
    holder: str
    label: str
    notify: Notify
    deaths: DeathWatch
    called: Callable[[str], str] = str

    async def settle_stale(self, *, at_startup: bool = False) -> list[SettledRun]:
        """End the grants that are stale by the database's clock, so that their runs can resume."""
        settled = await self.database.write(lambda connection: settle(connection, self.application))
        self._report(settled, at_startup=at_startup)
        return settled

    async def settle_proven_dead(self, *, at_startup: bool = False) -> list[SettledRun]:
        """End the grants of replicas of this boot and pid namespace that are proven dead, once their work is gone."""
        namespace = pid_namespace()
        if namespace is None or not boot_id():
            return []
        found = await self.database.read(lambda c: suspects(c, self.application, boot_id(), namespace))
        self.deaths.follow_too(found)
        dead = [suspect for suspect in found if suspect.holder != self.holder and is_alive(suspect.process) is False]
        gone = [suspect for suspect in dead if await asyncio.to_thread(_work_is_gone, suspect.keepers)]
        if not gone:
            return []

        def transaction(connection: Connection) -> list[SettledRun]:
            settled = settle_dead(connection, [grant for suspect in gone for grant in suspect.grants])
            statements.replica.mark_dead(connection, [suspect.holder for suspect in gone])
            return settled

        settled = await self.database.write(transaction)
        self._report(settled, at_startup=at_startup, gone=True)
        return settled

    def _report(self, settled: Iterable[SettledRun], *, at_startup: bool = False, gone: bool = False) -> None:
        for run in settled:
            subject = RunSubject(self.application, self.called(run.schedule), run.run_id, run.grant.token, self.label)
            self.notify(RunRecovered(subject, run.outcome, at_startup, gone, run.lived))


def _work_is_gone(keepers: Sequence[ProcessIdentity]) -> bool:
    """End the work left under each keeper, and return whether all of it was seen gone."""
    try:
        gone = [end_leftovers(keeper) for keeper in keepers]
    except OSError:  # /proc cannot be read for want of a descriptor: not seen, until it can be
        return False
    return all(gone)
