"""The filling of a database: schedules, their leases, finished runs and runs that wait."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, literal, select

import lease.statements
from daemon.definitions.application import Known
from daemon.definitions.schedule import Job, Schedule, write_schedule
from daemon.store.tables import run, schedule
from lease.schema import lease as leases

from ..contention.workload import JOB, MEASURED, names, write_history
from ..replicas.reading import reading
from ..stores import Store

HOLDER = "the replica"
RENEWED = 100
"""Leases that the replica holds."""
DUE = 10
"""Schedules that are to be planned."""
_EVERY = 3600.0
_AT_A_TIME = 5_000
_LEASE = f"run/{MEASURED}/"


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a database."""

    schedules: int
    runs: int
    """Finished ones: a multiple of the schedules."""
    pending: int
    """At least `DUE` + `RENEWED` fewer than the schedules."""

    def __str__(self) -> str:
        return f"{self.schedules:,} schedules, {self.runs:,} runs, {self.pending:,} pending"


@dataclass(frozen=True, slots=True)
class Definitions:
    """The schedules of a replica."""

    schedules: Mapping[str, Schedule]
    known: Known


def fill(store: Store, url: str, size: Size) -> Definitions:
    """Fill a database that has its tables, and return what a replica has of it."""
    every = names(size.schedules)
    due = every[-DUE:]
    defined = {name: _schedule(name) for name in due}
    any_other = _schedule("any-other")
    text = write_schedule(any_other)
    digests = {name: f"{number:064x}" for number, name in enumerate(every)}
    with reading(url) as reader:
        at = reader.now()
        for first in range(0, size.schedules, _AT_A_TIME):
            rows = [
                _row(name, defined.get(name), text, digests[name], at) for name in every[first : first + _AT_A_TIME]
            ]
            reader.add(schedule, rows)
        reader.write(lambda connection: _add_leases(connection, every[-DUE - RENEWED : -DUE]))
        reader.write(lambda connection: write_history(connection, size.runs // size.schedules))
        reader.write(lambda connection: _add_pending(connection, every[size.pending], at - timedelta(minutes=1)))
    store.settle(url)
    return Definitions({name: defined.get(name, any_other) for name in every}, Known(digests))


def _schedule(name: str) -> Schedule:
    return Schedule.model_validate({"name": name, "every": _EVERY, "jobs": (Job(name=JOB, command="true"),)})


def _row(name: str, due: Schedule | None, text: str, digest: str, at: datetime) -> dict[str, object]:
    """Return the row of a schedule of which an instant is due, if it is one of those, or will be within the hour."""
    planned = timedelta(seconds=_EVERY + (1 if due else -_EVERY / 2))
    return {
        "application": MEASURED,
        "name": name,
        "definition": write_schedule(due) if due else text.replace("any-other", name),
        "digest": due.digest if due else digest,
        "run_digest": digest,
        "trigger": "every 1h",
        "enabled": True,
        "anchor": at - planned,
        "planned_until": at - planned,
        "next_due": at - planned + timedelta(seconds=_EVERY),
        "changed_at": at,
        "synced_at": at,
        "created_at": at,
    }


def _add_leases(connection: Connection, held: tuple[str, ...]) -> None:
    rows = select(literal(_LEASE) + schedule.c.name)
    connection.execute(insert(leases).from_select(["name"], rows))
    lease.statements.grant(connection, [_LEASE + name for name in held], HOLDER, 3_600.0)


def _add_pending(connection: Connection, before: str, at: datetime) -> None:
    """Let each schedule before this one, by name, have a run that waits."""
    same = {"scheduled_for": at, "trigger": "manual", "state": "pending", "available_at": at, "created_at": at}
    rows = select(
        schedule.c.application,
        schedule.c.name,
        literal(_LEASE) + schedule.c.name,
        schedule.c.run_digest,
        *(literal(value, run.c[column].type) for column, value in same.items()),
    ).where(schedule.c.name < before)
    columns = ["application", "schedule", "lease_name", "digest", *same]
    connection.execute(insert(run).from_select(columns, rows))
