"""The carriage of a request over a program's own connection.

It sets nothing on the connection, and locks no schedule: PostgreSQL shares the key of its row for the
run that refers to it, which holds up no planner. Where the connection commits each statement by
itself, the request is a transaction of its own.
"""

from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

from sqlalchemy import URL, Executable, text

from lease.database.backend import FILE_ITSELF, SCHEMA, Backend
from lease.database.driver_errors import explain, tables_missing
from lease.database.forks import refuse_after_fork
from lease.errors import StoreUnavailable
from lease.fences.proof import Proof

from ...store.statements import requesting
from ...telemetry.spans import trigger_span
from ..request import Request, Requested, Rows, carry, steps

_BEGIN, _COMMIT, _ROLLBACK = text("BEGIN"), text("COMMIT"), text("ROLLBACK")
_BEGIN_TO_WRITE = text("BEGIN IMMEDIATE")
"""On SQLite, where a plain one begins to read, and may not write in the end."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What is requested, and over what: a request on a connection to a database."""

    wanted: Request
    backend: Backend
    is_open: Callable[[], bool]
    """Whether the connection has a transaction open."""
    there: URL
    """Where the connection leads."""

    def first(self) -> Executable:
        """Return a statement that begins the transaction where the driver does that by itself."""
        if self.backend.has_one_writer:
            return requesting.begin_to_write(self.wanted.application, self.wanted.schedule)
        return requesting.begin_to_read()

    def rest(self) -> Generator[Executable, Rows, Requested]:
        """Yield the other statements, in a transaction of their own if none is open now."""
        inner = steps(self.wanted, notifies=self.backend.listens)
        return inner if self.is_open() else self._by_itself(inner)

    def _by_itself(self, inner: Generator[Executable, Rows, Requested]) -> Generator[Executable, Rows, Requested]:
        yield _BEGIN_TO_WRITE if self.backend.has_one_writer else _BEGIN
        try:
            requested = yield from inner
        except BaseException:
            yield _ROLLBACK
            raise
        yield _COMMIT
        return requested

    @contextmanager
    def explained(self) -> Iterator[Self]:
        """Return the passage of a request that has a span; say of an error of the driver what it means for a request."""
        wanted = self.wanted
        try:
            with trigger_span(wanted.application, wanted.schedule) as traceparent:
                yield replace(self, wanted=replace(wanted, traceparent=traceparent))
        except Exception as error:
            if tables_missing(error):
                raise explain(error, self.there) from error
            if getattr(getattr(error, "orig", error), "sqlite_errorname", "") == "SQLITE_BUSY_SNAPSHOT":
                raise StoreUnavailable(
                    "this transaction read before it requested a run, and another one has written since: start "
                    "it again with BEGIN IMMEDIATE"
                ) from error
            raise


def carried(
    passage: Passage, send: Callable[[Executable], Rows], *, file: str | None = None, in_loop: bool = False
) -> Requested:
    """Write what is requested over a connection, on which ``send`` runs a statement, and return it.

    Whoever begins to write to an SQLite ``file`` waits for the turn to do so, unless it has begun; in an
    event loop (``in_loop``) without blocking it.
    """
    if file is not None:
        refuse_after_fork()
    with passage.explained() as traced:
        with Proof.turn(None if passage.is_open() else file, in_loop=in_loop):
            send(traced.first())
        return carry(traced.rest(), send)


async def carried_async(passage: Passage, send: Callable[[Executable], Awaitable[Rows]]) -> Requested:
    """Do the same where ``send`` is awaited; SQLite has no such connection of a driver here."""
    with passage.explained() as traced:
        await send(traced.first())
        steps = traced.rest()
        try:
            statement: Any = next(steps)
            while True:
                try:
                    rows = await send(statement)
                except BaseException as error:  # noqa: BLE001 - the steps end what they have begun
                    statement = steps.throw(error)
                else:
                    statement = steps.send(rows)
        except StopIteration as done:
            requested: Requested = done.value
            return requested


def schema_in(backend: Backend, schema: str | None) -> str:
    """Return where the tables are: as given, else where they are by default; on SQLite the file itself, as
    a TEMP table of the program's may have the name of one of ours.
    """
    return FILE_ITSELF if backend.schema is None else schema or SCHEMA
