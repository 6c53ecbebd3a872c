"""The registry of replicas: entries that show others whether a replica is alive (rule 18)."""

import os
import socket
from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from lease.clock import boot_id, boottime

from ..definitions.application import Application
from ..jobs.processes.identity import identity, pid_namespace
from ..states import UNSEEN_IS_DEAD, LiveReplicaState
from ..store import statements
from ..version import package_version
from .deaths import neighbours, proven_dead

KEPT = 86_400.0
"""Seconds for which the entry of a replica that is gone is kept."""


@dataclass(frozen=True, slots=True)
class ReplicaEntry:
    """One incarnation of a replica, as it registers."""

    holder: str
    application: str
    host: str
    pid: int
    start_time: int
    """Clock ticks since boot; 0 where they are not known."""
    boot_id: str | None
    pid_namespace: str | None
    version: str
    digest: str | None = None
    """Of its definitions; None where they are not known."""
    revision: int | None = None
    requires_revision: bool = False
    release: str | None = None
    concurrency: int | None = None
    """How many runs it runs at a time; None: an older version of leased registered it."""


def entry_of(application: Application, holder: str, concurrency: int | None = None) -> ReplicaEntry:
    """Return the entry of this process as a replica of ``application``."""
    me = identity(os.getpid())
    return ReplicaEntry(
        holder=holder,
        application=application.name,
        host=socket.gethostname(),
        pid=os.getpid(),
        start_time=me.start_time if me else 0,
        boot_id=boot_id() or None,
        pid_namespace=pid_namespace(),
        version=package_version(),
        digest=application.digest,
        revision=application.revision,
        requires_revision=application.require_revision,
        release=application.release,
        concurrency=concurrency,
    )


def register(connection: Connection, replica: ReplicaEntry) -> None:
    """Record a starting replica (a repeat changes nothing); mark those not seen for a minute as dead, and delete those
    gone for a day. It is recorded as started when its process was, which may have begun long before: the offset of the
    wall clock is taken from the two (see `wall_clock_offset`).
    """
    age = 0.0  # where it is not known
    if replica.start_time != 0 and replica.boot_id is not None:
        age = max(0.0, boottime() - replica.start_time / os.sysconf("SC_CLK_TCK"))
    statements.replica.add(connection, asdict(replica), age)
    statements.replica.mark_unseen_dead(connection, UNSEEN_IS_DEAD)
    statements.replica.prune(connection, KEPT)


def wall_clock_offset(connection: Connection, boot_id: str, ticks: int) -> float | None:
    """Return how many seconds the wall clock was ahead of the clock since boot, by the newest entry of this boot; None
    without one. ``ticks`` is the number of clock ticks per second.
    """
    latest = statements.replica.latest_of_boot(connection, boot_id)
    if latest is None:
        return None
    started_at, start_time = latest
    return started_at.timestamp() - start_time / ticks


def touch(connection: Connection, holder: str, state: LiveReplicaState = "running", blocked: str | None = None) -> bool:
    """Record that a replica is alive; return False if its entry is gone and it must register again. ``blocked`` is a
    sentence about the job that blocks its async jobs now, if one does (rule 25). Do this before settling: it
    distinguishes a replica that lost its leases from one that died (rule 16).
    """
    return statements.replica.touch(connection, holder, state, blocked) == 1


def mark_stopped(connection: Connection, holder: str) -> bool:
    """Mark a replica as stopped in good order; return False if it has no entry."""
    return statements.replica.touch(connection, holder, "stopped") == 1


def mark_proven_dead(connection: Connection) -> None:
    """Mark replicas of this machine as dead whose process is gone."""
    if dead := proven_dead(neighbours(connection)):
        statements.replica.mark_dead(connection, dead)
