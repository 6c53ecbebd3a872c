"""The settler of a replica: it ends what a crash left behind (rule 18).

Those are runs whose lease is stale, and runs whose holder and work are proven dead.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection

from lease.clock import boot_id
from lease.database.database import Database

from ..jobs.processes.identity import ProcessIdentity, end_leftovers, is_alive, pid_namespace
from ..telemetry.facts import Notify, RunRecovered, RunSubject
from . import registry
from .death_watch import DeathWatch
from .deaths import Neighbour
from .settle import SettledRun, settle, settle_dead, suspects


class Settler:
    """Settles the runs of one application for the replica ``holder``, and reports each of them. ``called`` returns the
    name of the schedule in a row.
    """

    def __init__(  # noqa: PLR0917 - who settles what, for whom
        self,
        database: Database,
        application: str,
        holder: str,
        label: str,
        notify: Notify,
        deaths: DeathWatch,
        called: Callable[[str], str] = str,
    ) -> None:
        self._deaths = deaths
        self._database = database
        self._application = application
        self._holder = holder
        self._label = label
        self._notify = notify
        self._called = called

    async def clean_up(self) -> None:
        """Settle what an earlier crash left, and first end what is left of its work on this machine: also of work
        whose lease is stale, for its keeper may have been stopped.
        """
        await self.settle_proven_dead(at_startup=True)
        await self.settle_stale(at_startup=True)

    async def settle_stale(self, *, at_startup: bool = False) -> list[SettledRun]:
        """End the grants that are stale by the database's clock, so that their runs can resume."""
        settled = await self._database.write(lambda connection: settle(connection, self._application))
        self._report(settled, at_startup=at_startup)
        return settled

    async def settle_proven_dead(self, *, at_startup: bool = False) -> list[SettledRun]:
        """End the grants of replicas that this machine can prove dead, once their work is seen
        gone.

        Only replicas of this boot and this pid namespace can be judged; for all others the ttl
        decides.
        """
        namespace = pid_namespace()
        if namespace is None or not boot_id():
            return []
        found = await self._database.read(lambda c: suspects(c, self._application, boot_id(), namespace))
        self._deaths.follow_too(Neighbour(suspect.holder, suspect.replica) for suspect in found)
        dead = [suspect for suspect in found if suspect.holder != self._holder and is_alive(suspect.replica) is False]
        gone = [suspect for suspect in dead if await asyncio.to_thread(_work_is_gone, suspect.keepers)]
        if not gone:
            return []

        def transaction(connection: Connection) -> list[SettledRun]:
            settled = settle_dead(connection, [grant for suspect in gone for grant in suspect.grants])
            registry.mark_dead(connection, [suspect.holder for suspect in gone])
            return settled

        settled = await self._database.write(transaction)
        self._report(settled, at_startup=at_startup, gone=True)
        return settled

    def _report(self, settled: Iterable[SettledRun], *, at_startup: bool = False, gone: bool = False) -> None:
        for run in settled:
            subject = RunSubject(
                self._application, self._called(run.schedule), run.run_id, run.grant.token, self._label
            )
            self._notify(RunRecovered(subject, run.outcome, at_startup, gone, run.lived))


def _work_is_gone(keepers: Sequence[ProcessIdentity]) -> bool:
    """End the work left under each keeper, and return whether all of it was seen gone."""
    try:
        gone = [end_leftovers(keeper) for keeper in keepers]
    except OSError:  # /proc cannot be read for want of a descriptor: not seen, until it can be
        return False
    return all(gone)
