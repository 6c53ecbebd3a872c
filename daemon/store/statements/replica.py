"""The statements on `replica`."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, delete, exists, func, literal, null, or_, select, update
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from lease.database.dialects import insert_missing, later, now, seconds_between

from ...states import LIVE, ReplicaState
from ..tables import generation, replica
from .dialects import among


def add(connection: Connection, values: Mapping[str, Any], age: float = 0.0) -> None:
    """Record a replica that started ``age`` seconds ago; an existing row is kept."""
    started_at = later(now(), -age) if age else now()
    connection.execute(insert_missing(replica).values(**values, state="running", started_at=started_at, seen_at=now()))


def living_of(connection: Connection, boot_id: str, pid_namespace: str) -> list[Row[Any]]:
    """Return (holder, pid, start_time) of the replicas recorded as alive in a boot and namespace."""
    here = (replica.c.boot_id == boot_id, replica.c.pid_namespace == pid_namespace)
    query = select(replica.c.holder, replica.c.pid, replica.c.start_time).where(replica.c.state.in_(LIVE), *here)
    return list(connection.execute(query))


def live(connection: Connection, application: str) -> list[Row[Any]]:
    """Return (holder, host, pid, seen_ago) of the replicas of an application that are recorded as alive."""
    seen_ago = seconds_between(replica.c.seen_at, now()).label("seen_ago")
    query = select(replica.c.holder, replica.c.host, replica.c.pid, seen_ago)
    query = query.where(replica.c.application == application, replica.c.state.in_(LIVE))
    return list(connection.execute(query.order_by(replica.c.host, replica.c.pid)))


def seen_lately(connection: Connection, within: float) -> list[Row[Any]]:
    """Return (host, pid) of the replicas that are recorded as alive and were seen in so many seconds."""
    seen = seconds_between(replica.c.seen_at, now()) < within
    query = select(replica.c.host, replica.c.pid).where(replica.c.state.in_(LIVE), seen)
    return list(connection.execute(query.order_by(replica.c.host, replica.c.pid)))


def touch(connection: Connection, holder: str, state: ReplicaState, blocked: str | None = None) -> int:
    """Record that a replica was seen just now; return the number of rows changed. One that has stopped
    remains so: a sign of life that was on its way would make its end look like a death.
    """
    has_stopped = replica.c.state == "stopped"
    values = {
        "state": case((has_stopped, replica.c.state), else_=state),
        "seen_at": now(),
        "stopped_at": now() if state == "stopped" else case((has_stopped, replica.c.stopped_at), else_=null()),
    }
    touched = update(replica).where(replica.c.holder == holder).values(**values, blocked=blocked)
    return connection.execute(touched).rowcount


def mark_stopped_if_alive(connection: Connection, holder: str) -> None:
    """Record that a replica which is recorded as alive has stopped."""
    alive = (replica.c.holder == holder, replica.c.state.in_(LIVE))
    connection.execute(update(replica).where(*alive).values(state="stopped", seen_at=now(), stopped_at=now()))


def mark_ready(connection: Connection, holder: str) -> None:
    """Record that a replica works from now on."""
    connection.execute(update(replica).where(replica.c.holder == holder).values(ready_at=now()))


def mark_dead(connection: Connection, holders: Collection[str]) -> None:
    """Mark replicas as dead."""
    alive = (among(replica.c.holder, holders), replica.c.state.in_(LIVE))
    connection.execute(update(replica).where(*alive).values(state="dead", stopped_at=now()))


def mark_all_dead(connection: Connection) -> int:
    """Mark all replicas that are recorded as alive as dead; return how many there were."""
    dead = update(replica).where(replica.c.state.in_(LIVE)).values(state="dead", stopped_at=now())
    return connection.execute(dead).rowcount


def mark_unseen_dead(connection: Connection, older_than: float) -> list[str]:
    """Mark replicas not seen for ``older_than`` seconds as dead; return their holders."""
    unseen = (replica.c.state.in_(LIVE), seconds_between(replica.c.seen_at, now()) > older_than)
    dead = update(replica).where(*unseen).values(state="dead", stopped_at=now())
    return list(connection.scalars(dead.returning(replica.c.holder)))


def prune(connection: Connection, older_than: float) -> int:
    """Delete replicas that ended and were not seen for ``older_than`` seconds; return how many."""
    unseen = seconds_between(replica.c.seen_at, now()) > older_than
    return connection.execute(delete(replica).where(replica.c.state.not_in(LIVE), unseen)).rowcount


def latest_of_boot(connection: Connection, boot_id: str) -> tuple[datetime, int] | None:
    """Return (started_at, start_time) of the replica that started last in this boot, if any."""
    in_boot = (replica.c.boot_id == boot_id, replica.c.start_time > 0)
    query = select(replica.c.started_at, replica.c.start_time).where(*in_boot)
    found = connection.execute(query.order_by(replica.c.start_time.desc()).limit(1)).one_or_none()
    return None if found is None else (found.started_at, found.start_time)


def highest_revision(connection: Connection, application: str, digest: str, seen_within: float) -> int | None:
    """Return the highest revision that counts of the application's replicas that are ready, were seen in the last
    ``seen_within`` seconds, do not drain, and are not superseded by the definitions ``digest``.
    """
    ready = (replica.c.application == application, *is_ready(replica.c, seen_within))
    of_those = select(func.max(counted(replica.c))).where(*ready, not_superseded(replica.c, literal(digest)))
    return connection.scalar(of_those)


def not_superseded(columns: ReadOnlyColumnCollection[str, Any], digest: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return whether the definitions ``digest`` are those of a replica, or no newer (`Generation.rank`)."""
    own, its = generation.alias("own"), generation.alias("its")
    came_later = (its.c.revision == own.c.revision) & (its.c.number > own.c.number)
    higher = exists().where(
        its.c.application == columns.application,
        its.c.digest == columns.digest,
        its.c.discounted_at.is_(None),
        or_(its.c.revision > own.c.revision, came_later),
    )
    newer = exists().where(
        own.c.application == columns.application,
        own.c.digest == digest,
        own.c.discounted_at.is_(None),
        own.c.revision.is_not(None),
        ~higher.correlate_except(its),
    )
    return or_(columns.digest == digest, ~newer.correlate_except(own))


def counts(connection: Connection, application: str, digest: str, revision: int) -> bool:
    """Return whether the revision of these definitions counts."""
    return connection.scalar(select(_counts(literal(application), literal(digest), literal(revision)))) is True


def counted(columns: ReadOnlyColumnCollection[str, Any]) -> ColumnElement[int | None]:
    """Return the revision of a replica; NULL if it does not count."""
    return case((_counts(columns.application, columns.digest, columns.revision), columns.revision))


def is_ready(columns: ReadOnlyColumnCollection[str, Any], seen_within: float) -> list[ColumnElement[bool]]:
    """Return the conditions under which a replica counts as ready."""
    seen = seconds_between(columns.seen_at, now()) < seen_within
    return [columns.state == "running", columns.ready_at.is_not(None), seen]


def last_seen(connection: Connection, application: str, before: datetime) -> datetime | None:
    """Return the last sign of life of any replica of an application that had its last one by then."""
    query = select(replica.c.seen_at).where(replica.c.application == application, replica.c.seen_at <= before)
    return connection.scalar(query.order_by(replica.c.seen_at.desc()).limit(1))


def holders_among(connection: Connection, holders: Collection[str]) -> set[str]:
    """Return those of ``holders`` that are, or were, replicas."""
    return set(connection.scalars(select(replica.c.holder).where(among(replica.c.holder, holders))))


def _counts(application: Any, digest: Any, revision: Any) -> ColumnElement[bool]:
    """Return whether no take-over has made the revision of these definitions count no more."""
    of = generation.c
    of_these = (of.application == application, of.digest == digest, of.revision >= revision)
    gone = exists().where(*of_these, of.discounted_at.is_not(None))
    return or_(~gone, exists().where(*of_these, of.discounted_at.is_(None)))
