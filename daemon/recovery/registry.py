"""The registry of replicas: the entry by which others see that a replica lives on, or prove its death (rule 18)."""

import os
import socket
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import Connection

from lease.clock import boot_id

from ..jobs.processes.identity import identity, pid_namespace
from ..store import statements
from ..version import package_version

UNSEEN_IS_DEAD = 60.0
"""Seconds after which a replica that was not seen counts as dead. It says nothing about its leases."""
KEPT = 86_400.0
"""Seconds for which one that is gone stays in the list."""


@dataclass(frozen=True, slots=True)
class ReplicaEntry:
    """One incarnation of one replica, as it registers."""

    holder: str
    application: str
    host: str
    pid: int
    start_time: int
    """Clock ticks since boot; 0 where they are not known."""
    boot_id: str | None
    pid_namespace: str | None
    version: str


def own_entry(holder: str, application: str) -> ReplicaEntry:
    """Return what this process registers as."""
    me = identity(os.getpid())
    return ReplicaEntry(
        holder=holder,
        application=application,
        host=socket.gethostname(),
        pid=os.getpid(),
        start_time=me.start_time if me else 0,
        boot_id=boot_id() or None,
        pid_namespace=pid_namespace(),
        version=package_version(),
    )


def register(connection: Connection, replica: ReplicaEntry) -> None:
    """Record a replica that starts; doing it twice changes nothing. Deletes others that are long gone."""
    statements.replica.add(connection, asdict(replica))
    mark_unseen_dead(connection)


def wall_clock_of(connection: Connection, boot_id: str, ticks: int) -> float | None:
    """Return by how many seconds the wall clock was ahead of the clock since boot when a replica last registered in this boot.

    ``ticks`` is how many of its clock ticks make a second. A little more, by the time from its start to its entry. None: nobody has.
    """
    latest = statements.replica.latest_of_boot(connection, boot_id)
    if latest is None:
        return None
    started_at, start_time = latest
    return started_at.timestamp() - start_time / ticks


def touch(connection: Connection, holder: str, state: Literal["running", "draining"] = "running") -> bool:
    """Record that a replica is there. False: it has no entry any more, and must register again.

    Do so before settling: a replica that only lost its leases is told apart by it from one that died (rule 16).
    """
    return statements.replica.touch(connection, holder, state) == 1


def mark_stopped(connection: Connection, holder: str) -> bool:
    """Mark a replica as stopped by itself. False: it has no entry."""
    return statements.replica.touch(connection, holder, "stopped") == 1


def mark_dead(connection: Connection, holders: Collection[str]) -> None:
    """Mark replicas as dead, as was proven."""
    statements.replica.mark_dead(connection, holders)


def mark_unseen_dead(connection: Connection) -> list[str]:
    """Mark replicas not seen for a minute as dead, delete those gone for a day; return the holders of the former."""
    unseen = statements.replica.mark_unseen_dead(connection, UNSEEN_IS_DEAD)
    statements.replica.prune(connection, KEPT)
    return unseen
