"""A schedule as it stands in the database, and the replicas that have its definition."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, select

from lease.database.dialects import now, seconds_between

from ...states import LIVE, SEEN_WITHIN, LiveReplicaState
from ..called import ScheduleKey, called, former_names, present_name
from ..statements.dialects import among_keys
from ..statements.generation import read_run_digests
from ..tables import generation, replica, schedule
from .names import Called


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A schedule, retired or not."""

    application: str
    schedule: str
    former: tuple[str, ...]
    """The names that it had, the newest first."""
    definition: str
    """JSON."""
    timing: str
    run_digest: str | None
    enabled: bool
    next_due: datetime | None
    planned_until: datetime
    anchor: datetime
    created_at: datetime
    changed_at: datetime
    retired_at: datetime | None
    retired_by: str | None


@dataclass(frozen=True, slots=True)
class Living:
    """A replica that is recorded as alive."""

    holder: str
    name: str
    """``host:pid``."""
    state: LiveReplicaState
    seen_ago: float
    generation: int | None
    run_digests: frozenset[str]
    """Those of the schedules that it can execute."""

    @property
    def is_seen(self) -> bool:
        """It counts as living after its last sign of life."""
        return self.seen_ago < SEEN_WITHIN


def read_defined(connection: Connection, key: ScheduleKey) -> StoredSchedule:
    """Return a schedule that is there."""
    of_key = (schedule.c.application == key[0], schedule.c.name == key[1])
    row = connection.execute(select(schedule).where(*of_key)).one()
    return StoredSchedule(
        application=row.application,
        schedule=called(row),
        former=tuple(former_names(row)),
        definition=row.definition,
        timing=row.trigger,
        run_digest=row.run_digest,
        enabled=bool(row.enabled),
        next_due=row.next_due,
        planned_until=row.planned_until,
        anchor=row.anchor,
        created_at=row.created_at,
        changed_at=row.changed_at,
        retired_at=row.retired_at,
        retired_by=row.retired_by,
    )


def read_stored(connection: Connection, schedules: Collection[ScheduleKey]) -> dict[ScheduleKey, tuple[str, datetime]]:
    """Return the stored definition of each schedule of these names, and from when its intervals count."""
    names = Called(connection)
    keys = [(application, names.key(application, name)) for application, name in schedules]
    columns = (schedule.c.application, present_name(schedule), schedule.c.definition, schedule.c.anchor)
    rows = connection.execute(select(*columns).where(among_keys((schedule.c.application, schedule.c.name), keys)))
    return {(application, name): (definition, anchor) for application, name, definition, anchor in rows}


def read_living(connection: Connection, application: str) -> list[Living]:
    """Return the replicas of an application that are recorded as alive, each with what it can execute."""
    latest = (
        select(func.max(generation.c.number))
        .where(generation.c.application == replica.c.application, generation.c.digest == replica.c.digest)
        .correlate(replica)
        .scalar_subquery()
    )
    brought = and_(generation.c.application == replica.c.application, generation.c.number == latest)
    of_replica = (replica.c.holder, replica.c.host, replica.c.pid, replica.c.state)
    query = (
        select(*of_replica, seconds_between(replica.c.seen_at, now()).label("seen_ago"), generation.c.number)
        .select_from(replica.outerjoin(generation, brought))
        .where(replica.c.application == application, replica.c.state.in_(LIVE))
        .order_by(replica.c.host, replica.c.pid)
    )
    rows = connection.execute(query).all()
    numbers = {row.number for row in rows if row.number is not None}
    of_numbers = (generation.c.application == application, generation.c.number.in_(sorted(numbers)))
    stored = connection.execute(select(generation.c.number, generation.c.run_digests).where(*of_numbers))
    known = {number: frozenset(read_run_digests(text)) for number, text in stored}
    return [
        Living(
            *(row.holder, f"{row.host}:{row.pid}", row.state, row.seen_ago, row.number),
            known.get(row.number, frozenset()),
        )
        for row in rows
    ]


def last_seen(connection: Connection, application: str) -> datetime | None:
    """Return the last sign of life of any replica of an application; None: there has been none."""
    found: datetime | None = connection.scalar(
        select(func.max(replica.c.seen_at, type_=now.type)).where(replica.c.application == application)
    )
    return found
