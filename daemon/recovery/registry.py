"""Who runs: each replica's entry, by which others can tell that it lived on, or prove its death (rule 18)."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from ..store import statements
from ..store.tables import ReplicaState

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


@dataclass(frozen=True, slots=True)
class Registered:
    """A replica as the database has it."""

    replica: ReplicaEntry
    state: ReplicaState
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None
    unseen_for: float
    """Seconds since it was seen, by the database's clock."""


def register(connection: Connection, replica: ReplicaEntry) -> None:
    """Enter a replica that starts; doing it twice changes nothing. Clears away others that are long gone."""
    statements.replica.add(connection, asdict(replica))
    bury(connection)


def wall_clock_of(connection: Connection, boot_id: str, ticks: int) -> float | None:
    """Return by how many seconds the wall clock was ahead of the clock since boot when a replica last registered in this boot.

    ``ticks`` is how many of its clock ticks make a second. A little more, by the time from its start to its entry. None: nobody has.
    """
    latest = statements.replica.latest_of_boot(connection, boot_id)
    if latest is None:
        return None
    started_at, start_time = latest
    return started_at.timestamp() - start_time / ticks


def seen(connection: Connection, holder: str, state: Literal["running", "draining"] = "running") -> bool:
    """Tell that a replica is there. False: it has no entry any more, and must register again.

    Tell it before settling: by that a replica that only lost its leases is told apart from one that died (rule 16).
    """
    return statements.replica.seen(connection, holder, state) == 1


def leave(connection: Connection, holder: str) -> bool:
    """Tell that a replica ends by itself. False: it has no entry."""
    return statements.replica.seen(connection, holder, "stopped") == 1


def declare_dead(connection: Connection, holders: Collection[str]) -> None:
    """Tell of replicas whose death is proven."""
    statements.replica.declare_dead(connection, holders)


def bury(connection: Connection) -> list[str]:
    """Mark replicas not seen for a minute as dead, drop those gone for a day; return the holders of the former."""
    buried = statements.replica.bury(connection, UNSEEN_IS_DEAD)
    statements.replica.prune(connection, KEPT)
    return buried


def registered(connection: Connection, application: str | None = None) -> list[Registered]:
    """Return the replicas of one application or of all, the living first."""
    return [
        Registered(
            ReplicaEntry(
                holder=row.holder,
                application=row.application,
                host=row.host,
                pid=row.pid,
                start_time=row.start_time,
                boot_id=row.boot_id,
                pid_namespace=row.pid_namespace,
                version=row.version,
            ),
            state=row.state,
            started_at=row.started_at,
            seen_at=row.seen_at,
            stopped_at=row.stopped_at,
            unseen_for=row.unseen_for,
        )
        for row in statements.replica.read(connection, application)
    ]
