"""The deaths of replicas that this machine can prove without asking anybody (rule 18)."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from lease.clock import boot_id

from ..jobs.processes.identity import ProcessIdentity, is_alive, pid_namespace
from ..store import statements


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A replica recorded as alive, of this boot and pid namespace, so that its process can be checked."""

    holder: str
    process: ProcessIdentity


def neighbours(connection: Connection) -> list[Neighbour]:
    """Return the replicas of this boot and pid namespace; none where no process can be judged."""
    namespace = pid_namespace()
    if namespace is None or not boot_id():
        return []
    found = statements.replica.living_of(connection, boot_id(), namespace)
    return [Neighbour(row.holder, ProcessIdentity(row.pid, row.start_time)) for row in found]


def proven_dead(found: Iterable[Neighbour]) -> frozenset[str]:
    """Return the holders of those whose process is gone."""
    return frozenset(one.holder for one in found if is_alive(one.process) is False)
