"""The trigger in a caller's own transaction, over each kind of connection that programs have (rule 23).

It sets nothing on the connection, and locks no schedule: PostgreSQL shares the key of its row for the
run that refers to it, which blocks no planner. Where the connection commits each statement by
itself, the request is a transaction of its own.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
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
from .trigger import Request, Requested, carry, request, steps

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
    """Write what is requested, and return it."""

    def send(statement: Executable) -> Rows:
        return over.send(statement).rows

    file = over.file()
    if file is not None:
        refuse_after_fork()
    with _explained(wanted, over) as traced:
        with over.turn(None if over.is_in_transaction() else file):  # unless it has begun to write
            send(_first(traced, over.backend))
        rest = steps(traced, notifies=over.backend.listens)
        return carry(rest if over.is_in_transaction() else _by_itself(rest, over.backend), send)


def _first(wanted: Request, backend: Backend) -> Executable:
    """Return a statement that begins the transaction where the driver does that by itself."""
    if backend.has_one_writer:
        return requests.begin_to_write(wanted.application, wanted.schedule)
    return requests.begin_to_read()


def _by_itself(
    inner: Generator[Executable, Rows, Requested], backend: Backend
) -> Generator[Executable, Rows, Requested]:
    yield _BEGIN_TO_WRITE if backend.has_one_writer else _BEGIN
    try:
        requested = yield from inner
    except BaseException:
        yield _ROLLBACK
        raise
    yield _COMMIT
    return requested


@contextmanager
def _explained(wanted: Request, over: Foreign) -> Iterator[Request]:
    """Return a request that has a span; say of an error of the driver what it means for a request."""
    try:
        with trigger_span(wanted.application, wanted.schedule) as traceparent:
            yield replace(wanted, traceparent=traceparent)
    except Exception as error:
        if tables_missing(error):
            raise explain(error, over.there) from error
        if sqlite_name(error) == WROTE_SINCE:
            raise StoreUnavailable(
                "this transaction read before it requested a run, and another one has written since: start "
                "it again with BEGIN IMMEDIATE"
            ) from error
        raise
