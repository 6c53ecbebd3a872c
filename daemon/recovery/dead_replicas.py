"""Settling what a crash left: runs whose lease is stale, and runs whose holder and work are proven dead (rule 18)."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import Connection

from lease.clock import boot_id
from lease.database.database import Database

from ..jobs.processes.identity import ProcessIdentity, end_leftovers, is_alive, pid_namespace
from . import registry
from .settle import SettledRun, settle, settle_dead, suspects


async def settle_stale(database: Database, application: str) -> list[SettledRun]:
    """End the grants that are stale by the database's clock, and free their runs to be resumed."""
    return await database.write(lambda connection: settle(connection, application))


async def settle_proven_dead(database: Database, application: str, holder: str) -> list[SettledRun]:
    """End the grants of replicas that this machine can prove dead, once what is left of their work is seen gone.

    Only replicas of this boot and this pid namespace can be judged; for all others the ttl decides.
    """
    namespace = pid_namespace()
    if namespace is None or not boot_id():
        return []
    found = await database.read(lambda connection: suspects(connection, application, boot_id(), namespace))
    dead = [suspect for suspect in found if suspect.holder != holder and is_alive(suspect.replica) is False]
    gone = [suspect for suspect in dead if await asyncio.to_thread(_work_is_gone, suspect.keepers)]
    if not gone:
        return []

    def unit(connection: Connection) -> list[SettledRun]:
        settled = settle_dead(connection, [grant for suspect in gone for grant in suspect.grants])
        registry.declare_dead(connection, [suspect.holder for suspect in gone])
        return settled

    return await database.write(unit)


def _work_is_gone(keepers: Sequence[ProcessIdentity]) -> bool:
    """End what is left under each keeper, and tell whether all of it is seen gone."""
    gone = [end_leftovers(keeper) for keeper in keepers]
    return all(gone)
