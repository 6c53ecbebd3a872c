"""The replicas that are alive, and the latest that are gone."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from lease.database.dialects import now, seconds_between

from ...states import LIVE, ReplicaState
from ..tables import replica


@dataclass(frozen=True, slots=True)
class ReplicaLine:
    """One incarnation of a replica."""

    holder: str
    application: str
    host: str
    pid: int
    version: str
    state: ReplicaState
    started_at: datetime
    seen_at: datetime
    seen_ago: float
    stopped_at: datetime | None


def read_replicas(connection: Connection, *, application: str | None = None, past: int = 0) -> list[ReplicaLine]:
    """Return the replicas recorded as alive, then the ``past`` latest of the others."""
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
    alive = connection.execute(query.where(replica.c.state.in_(LIVE)).order_by(replica.c.started_at)).all()
    gone = (
        connection.execute(
            query.where(replica.c.state.not_in(LIVE)).order_by(replica.c.started_at.desc()).limit(past)
        ).all()
        if past
        else []
    )
    return [ReplicaLine(*row) for row in (*alive, *gone)]
