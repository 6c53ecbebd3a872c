"""The trigger in a caller's own transaction, over each kind of connection that programs have (rule 23).

It sets nothing on the connection, and locks no schedule: PostgreSQL shares the key of its row for the
run that refers to it, which blocks no planner. Where the connection commits each statement by
itself, the request is a transaction of its own.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, text

from lease.database.address import checked_schema
from lease.database.backend import Backend
from lease.database.driver_errors import WROTE_SINCE, explain, sqlite_name, tables_missing
from lease.database.foreign import Foreign, Rows, kind_of, names_of
from lease.database.forks import refuse_after_fork
from lease.durations import Duration
from lease.errors import LeaseError, StoreUnavailable

from ..store.statements import requests
from ..telemetry.spans import trigger_span
from .requester import requester
from .trigger import Request, Requested, Steps, carry, request, steps

_BEGIN, _COMMIT, _ROLLBACK = text("BEGIN"), text("COMMIT"), text("ROLLBACK")
_BEGIN_TO_WRITE = text("BEGIN IMMEDIATE")
"""On SQLite, where a plain one begins to read, and may not write in the end."""


def trigger(
    application: str,
    name: str,
    params: Mapping[str, Any] | None = None,
    *,
    connection: Any,
    key: str | None = None,
    at: datetime | Duration | None = None,
    requested_by: str | None = None,
    why: str | None = None,
    schema: str | None = None,
) -> Any:
    """Request a run in the transaction of ``connection``; see `Schedules.trigger`."""
    where = None if schema is None else checked_schema(schema)
    by = requester() if requested_by is None else requested_by
    wanted = request(application, name, requested_by=by, why=why, params=params, key=key, at=at)
    kind = kind_of(connection)
    if kind is None:
        raise LeaseError(
            "trigger takes a connection or session of SQLAlchemy, a connection of psycopg, psycopg2, asyncpg or sqlite3, "
            f"or Django's connection, not {names_of(connection)[0].removeprefix('builtins.')}"
        )

    def write(given: Any) -> Requested:
        return _written(wanted, kind.over(given, where))

    return write(connection) if kind.work is None else kind.work(connection, write)


def _written(wanted: Request, over: Foreign) -> Requested:
    def send(statement: Executable) -> Rows:
        return over.send(statement).rows

    file = over.file()
    if file is not None:
        refuse_after_fork()
    name = (wanted.application, wanted.schedule)
    try:
        with trigger_span(*name) as traceparent:
            with over.turn(None if over.is_in_transaction() else file):  # unless it has begun to write
                # What begins the transaction, where the driver does that by itself.
                send(requests.begin_to_write(*name) if over.backend.has_one_writer else requests.begin_to_read())
            rest = steps(replace(wanted, traceparent=traceparent), notifies=over.backend.listens)
            return carry(rest if over.is_in_transaction() else _by_itself(rest, over.backend), send)
    except Exception as error:
        if tables_missing(error):
            raise explain(error, over.there) from error
        if sqlite_name(error) == WROTE_SINCE:
            raise StoreUnavailable(
                "this transaction read before it requested a run, and another one has written since: start "
                "it again with BEGIN IMMEDIATE"
            ) from error
        raise


def _by_itself(inner: Steps, backend: Backend) -> Steps:
    yield _BEGIN_TO_WRITE if backend.has_one_writer else _BEGIN
    try:
        requested = yield from inner
    except BaseException:
        yield _ROLLBACK
        raise
    yield _COMMIT
    return requested
