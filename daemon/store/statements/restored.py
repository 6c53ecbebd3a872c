"""The statements on a database that was restored from a backup."""

from typing import Any

from sqlalchemy import Connection, Row, select, text, update

from lease.database.backend import backend_of, quoted, schema_of
from lease.database.dialects import now, seconds_between

from ...states import LIVE
from ..tables import replica, run
from .dialects import running

_MOST_RUNS = 1_000
"""Runs per second that no installation makes for long."""


def replicas_seen(connection: Connection, within: float) -> list[Row[Any]]:
    """Return (host, pid) of the replicas that are recorded as alive and were seen in so many seconds."""
    seen = seconds_between(replica.c.seen_at, now()) < within
    query = select(replica.c.host, replica.c.pid).where(replica.c.state.in_(LIVE), seen)
    return list(connection.execute(query.order_by(replica.c.host, replica.c.pid)))


def mark_replicas_dead(connection: Connection) -> int:
    """Mark all replicas that are recorded as alive as dead; return how many there were."""
    dead = update(replica).where(replica.c.state.in_(LIVE)).values(state="dead", stopped_at=now())
    return connection.execute(dead).rowcount


def running_runs(connection: Connection) -> list[Row[Any]]:
    """Return the runs that are at work, of all applications."""
    return list(connection.execute(select(run).where(running()).order_by(run.c.id)))


def skip_numbers(connection: Connection) -> None:
    """Let the numbers of runs go on above all that were given after the newest row was written.

    A manual run's number is in its idempotency key. SQLite numbers on from the highest that is there.
    """
    if not backend_of(connection).has_functions:
        return
    schema = quoted(schema_of(connection))
    newest = f"(SELECT max(created_at) FROM {schema}run), (SELECT max(seen_at) FROM {schema}replica)"
    connection.execute(
        text(
            f"SELECT setval(pg_get_serial_sequence('{schema}run', 'id'), greatest(last_value, (SELECT max(id) FROM {schema}run)) "
            f"+ {_MOST_RUNS} * CAST(1 + coalesce(extract(epoch FROM clock_timestamp() - greatest({newest})), 0) AS bigint)) "
            f"FROM {schema}run_id_seq"
        )
    )
