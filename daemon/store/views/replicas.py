"""The replicas that are alive, and the latest that are gone."""

from collections.abc import Collection
from dataclasses import dataclass, replace
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


def read_replicas(
    connection: Connection,
    *,
    application: str | None = None,
    past: int = 0,
    died_within: float | None = None,
    dead: Collection[str] = (),
) -> list[ReplicaLine]:
    """Return the replicas recorded as alive, then the ``past`` latest of the others.

    ``died_within`` leaves only those of the others that died in so many seconds. ``dead`` are
    holders whose death is proven, although it need not be recorded yet.
    """
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
    over = query.where(replica.c.state.not_in(LIVE)).order_by(replica.c.started_at.desc()).limit(past)
    if died_within is not None:
        died_ago = seconds_between(replica.c.stopped_at, now())
        over = over.where(replica.c.state == "dead", died_ago < died_within)
    gone = connection.execute(over).all() if past else []
    lines = [ReplicaLine(*row) for row in (*alive, *gone)]
    return [replace(line, state="dead") if line.state in LIVE and line.holder in dead else line for line in lines]
