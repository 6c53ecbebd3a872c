"""A history of any length: runs that have succeeded, an attempt each, of all schedules in turn, the oldest first."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Double, Engine, Insert, Integer, Text, cast, func, insert, literal, select

from daemon.store.tables import job_run, run
from lease.database.dialects import Instant, later, now

APPLICATION = "pruning"
DAY = 86_400.0
OLD = (60.0, 31.0)
"""The runs that are no longer kept ended between so many days before now."""
KEPT = (29.0, 1.0)
"""And those that are."""
_HOLDER = "long-gone"


def name_of(number: int) -> str:
    """Return the name of a schedule."""
    return f"s{number:03}"


def fill(engine: Engine, schedules: int, runs: int, old: int) -> None:
    """Write so many runs, of which the first ``old`` ones are no longer kept, into tables that have none.

    On PostgreSQL the indexes are built afterwards, which takes a quarter of the time.
    """
    is_postgresql = engine.dialect.name == "postgresql"
    indexes = sorted(run.indexes, key=lambda index: str(index.name)) if is_postgresql else []
    with engine.begin() as connection:
        if is_postgresql:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")  # no check of foreign keys
            connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '1GB'")
        for index in indexes:
            index.drop(connection)
        moment = connection.scalars(select(now())).one()
        for first, number, days in ((0, old, OLD), (old, runs - old, KEPT)):
            connection.execute(_runs(schedules, first, number, days, moment))
        connection.execute(_attempts())
        for index in indexes:
            index.create(connection)
    settle(engine)


def settle(engine: Engine) -> None:
    """Do what autovacuum does after a while."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM (ANALYZE)")


def _runs(schedules: int, first: int, number: int, days: tuple[float, float], moment: datetime) -> Insert:
    """Return the insertion of so many runs, which ended between these days before now, one after the other."""
    counted = select(literal(0).label("n")).cte("counted", recursive=True)
    counted = counted.union_all(select(counted.c.n + 1).where(counted.c.n < number - 1))
    age = days[0] - cast(counted.c.n, Double) * ((days[0] - days[1]) / number)
    at = later(literal(moment, Instant()), -DAY * age)
    name = literal("s") + func.substr(cast(1000 + (counted.c.n + first) % schedules, Text), 2)
    values: dict[str, ColumnElement[Any]] = {
        "application": literal(APPLICATION),
        "schedule": name,
        "trigger": literal("schedule"),
        "state": literal("succeeded"),
        "lease_name": literal(f"run/{APPLICATION}/") + name,
        "digest": literal("0" * 64),
        "token": literal(1),
        "holder": literal(_HOLDER),
        "attempt": literal(1),
        "claimed_attempt": literal(1),
        **dict.fromkeys(("scheduled_for", "available_at", "created_at", "started_at", "finished_at"), at),
    }
    return insert(run).from_select(list(values), select(*values.values()).select_from(counted).order_by(counted.c.n))


def _attempts() -> Insert:
    values: dict[str, ColumnElement[Any]] = {
        "run_id": run.c.id,
        "job": literal("nothing"),
        "position": literal(0, Integer),
        "attempt": literal(1, Integer),
        "state": literal("succeeded"),
        "token": run.c.token,
        "holder": run.c.holder,
        "started_at": run.c.started_at,
        "finished_at": run.c.finished_at,
    }
    return insert(job_run).from_select(list(values), select(*values.values()).order_by(run.c.id))
