"""A schedule as it stands in the database, and the replicas that have its definition."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, select

from ...states import SEEN_WITHIN, ReplicaState
from ..called import ScheduleKey, former_names, present_name
from ..reader import Reader
from ..statements.dialects import are
from ..statements.generation import read_run_digests
from ..tables import generation, schedule
from .names import Called
from .replicas import read_replicas


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
    next_due: datetime | None
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
    state: ReplicaState
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
    name, timing = present_name(schedule), schedule.c.trigger
    reader = Reader(StoredSchedule, schedule, but=("former",), schedule=name, timing=timing)
    row: Any = connection.execute(select(*reader.columns, schedule.c.former).where(*of_key)).one()
    return reader.read(row, former=tuple(former_names(row)))


def read_stored(connection: Connection, schedules: Collection[ScheduleKey]) -> dict[ScheduleKey, tuple[str, datetime]]:
    """Return the stored definition of each schedule of these names, and from when its intervals count."""
    columns = (schedule.c.application, present_name(schedule), schedule.c.definition, schedule.c.anchor)
    rows = connection.execute(select(*columns).where(are(Called(connection).keys(schedules))))
    return {(application, name): (definition, anchor) for application, name, definition, anchor in rows}


def read_living(connection: Connection, application: str) -> list[Living]:
    """Return the replicas of an application that are recorded as alive, each with what it can execute."""
    lines = sorted(read_replicas(connection, application=application), key=attrgetter("host", "pid"))
    numbers = sorted({line.generation for line in lines if line.generation is not None})
    of_numbers = (generation.c.application == application, generation.c.number.in_(numbers))
    stored = connection.execute(select(generation.c.number, generation.c.run_digests).where(*of_numbers))
    known = {number: frozenset(read_run_digests(text)) for number, text in stored}
    return [
        Living(
            *(one.holder, f"{one.host}:{one.pid}", one.state, one.seen_ago, one.generation),
            known.get(one.generation or 0, frozenset()),
        )
        for one in lines
    ]
