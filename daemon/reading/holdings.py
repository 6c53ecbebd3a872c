"""Who holds what, and which replicas there are."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from lease.dialects import now, seconds_between
from lease.statements import list_prefix

from ..schema import replica, run

LIVING = ("running", "draining")


@dataclass(frozen=True, slots=True)
class Lock:
    """A lease, and the run that it is held for, if it is one of the daemon's."""

    name: str
    token: int
    holder: str | None
    label: str | None
    granted_at: datetime | None
    renewed_at: datetime | None
    held_for: float | None
    expires_in: float | None
    live: bool
    run_id: int | None


@dataclass(frozen=True, slots=True)
class ReplicaLine:
    """One start of a replica."""

    holder: str
    application: str
    host: str
    pid: int
    version: str
    state: str
    started_at: datetime
    seen_at: datetime
    seen_ago: float
    stopped_at: datetime | None


def read_locks(connection: Connection, *, prefix: str = "", free: bool = False) -> list[Lock]:
    """Return the leases whose names begin with ``prefix``: those that somebody holds, or with ``free`` all."""
    records = [record for record in list_prefix(connection, prefix) if free or record.holder is not None]
    running = connection.execute(
        select(run.c.lease_name, run.c.token, run.c.holder, run.c.id).where(run.c.state == "running")
    )
    runs = {(name, token, holder): run_id for name, token, holder, run_id in running}
    return [
        Lock(
            record.name,
            record.token,
            record.holder,
            record.label,
            record.granted_at,
            record.renewed_at,
            record.held_for,
            record.expires_in,
            record.live,
            runs.get((record.name, record.token, record.holder)),
        )
        for record in records
    ]


def read_replicas(connection: Connection, *, application: str | None = None, past: int = 0) -> list[ReplicaLine]:
    """Return the replicas that say they live, then the ``past`` latest of the others."""
    query = select(
        replica.c.holder,
        replica.c.application,
        replica.c.host,
        replica.c.pid,
        replica.c.version,
        replica.c.state,
        replica.c.started_at,
        replica.c.seen_at,
        seconds_between(replica.c.seen_at, now()),
        replica.c.stopped_at,
    )
    if application is not None:
        query = query.where(replica.c.application == application)
    alive = connection.execute(query.where(replica.c.state.in_(LIVING)).order_by(replica.c.started_at)).all()
    gone = (
        connection.execute(
            query.where(replica.c.state.not_in(LIVING)).order_by(replica.c.started_at.desc()).limit(past)
        ).all()
        if past
        else []
    )
    return [ReplicaLine(*row) for row in (*alive, *gone)]
