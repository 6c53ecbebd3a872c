"""Wires to PostgreSQL, by libpq's asynchronous calls (PostgreSQL's manual, "Asynchronous Command Processing").

psycopg's cursors wait for the socket themselves. Here its user waits, in whichever way suits a thread or an event loop.

The first question over a connection is who answers, and from which database. It leads to the server itself if the
process that answers is the one that was named when the connection was made. A pooler names something else.
"""

import asyncio
import select
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy import Engine

from ..address import IDENTITY, OF_A_DATABASE
from ..backend import ConnectionSettings
from ..connections import Route
from ..driver_errors import is_harmless
from ..held.line import shut_down
from ..held.statement import Call, Compiled, Rows
from . import NothingSentError, Wire, WireFailed

WHO_ANSWERS: LiteralString = "SELECT pg_backend_pid(), current_setting('default_transaction_isolation')"
"""Asks who answers, and at which isolation level a statement runs; with ``prepare=False``."""
QUESTIONS: tuple[LiteralString, LiteralString] = (f"{WHO_ANSWERS}, {IDENTITY}", f"{WHO_ANSWERS}, {OF_A_DATABASE}")
"""Ask it, and which database it is; the second one where this role, or all there, may not ask for the server."""
Answer = tuple[int, str, str | None]
"""The process, the isolation level, and the database's identity (`lease.database.address`)."""


async def ask_in_loop(driver: "psycopg.AsyncConnection[Any]") -> Answer:
    """Ask that over a connection in autocommit."""
    try:
        cursor = await driver.execute(QUESTIONS[0], prepare=False)
    except psycopg.DatabaseError:
        if driver.closed:
            raise
        cursor = await driver.execute(QUESTIONS[1], prepare=False)
    answer: Answer
    (answer,) = await cursor.fetchall()
    return answer


def is_direct(driver: "psycopg.AsyncConnection[Any]", pid: int) -> bool:
    """Return whether the process that answered is the one that the connection was made to."""
    return pid == driver.info.backend_pid


_DONE = {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}
_TYPES: Mapping[int, Callable[[str], Any]] = {
    16: "t".__eq__,  # boolean
    20: int,
    23: int,
    701: float,
}
"""How values are read, by the OID of their type; all others are texts."""


class Exchange:
    """One statement at a time, each a transaction of its own. Each method is a generator: it yields when its user is
    to wait until the socket is readable; True, until it is writable too. The connection's encoding is utf8.
    """

    def __init__(self, connection: PGconn) -> None:
        self._connection = connection
        self.prepares = False
        """Statements are prepared: the connection leads to the server itself, not to a pooler."""
        self._prepared: dict[str, bytes] = {}

    def ask(self, text: str, values: Sequence[object], results: list[PGresult]) -> Iterator[bool]:
        """Run a statement with its parameters, $1, $2 …; all results are put into ``results``."""
        given = [None if value is None else str(value).encode() for value in values]
        if self.prepares and text not in self._prepared:
            name = f"lease_wire_{len(self._prepared)}".encode()
            self._connection.send_prepare(name, text.encode())
            yield from self._take_in(results)
            if not is_done(results):
                return
            self._prepared[text] = name
            results.clear()
        if self.prepares:
            self._connection.send_query_prepared(self._prepared[text], given)
        else:
            self._connection.send_query_params(text.encode(), given)
        yield from self._take_in(results)

    def _take_in(self, results: list[PGresult]) -> Iterator[bool]:
        """Send what is left to send, and take in all results: rows come before their commit, and an error can follow."""
        while self._connection.flush():
            yield True
            self._connection.consume_input()
        while True:
            while self._connection.is_busy():
                yield False
                self._connection.consume_input()
            result = self._connection.get_result()
            if result is None:
                return
            results.append(result)


def is_done(results: Sequence[PGresult]) -> bool:
    """Return whether a statement was carried out, by all its results; a pooler that is out of step gives none."""
    return bool(results) and {one.status for one in results} <= _DONE


def rows_of(result: PGresult) -> list[list[Any]]:
    """Return its rows, with booleans and numbers as Python has them, and all else as text."""
    readers = [_TYPES.get(result.ftype(column), str) for column in range(result.nfields)]
    return [
        [
            None if (value := result.get_value(row, column)) is None else read(value.decode())
            for column, read in enumerate(readers)
        ]
        for row in range(result.ntuples)
    ]


T = TypeVar("T")


class _Refused(Exception):
    """The server has refused a statement."""

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


async def connect(route: Route, engine: Engine, settings: ConnectionSettings) -> Wire | None:
    """Connect; None where a statement by itself would run at another isolation level than READ COMMITTED.

    ``engine`` compiles statements as libpq takes them.
    """
    driver = await psycopg.AsyncConnection.connect(**{**await route.arguments(settings), "autocommit": True})
    with ExitStack() as unless_good:
        unless_good.callback(driver.pgconn.finish)
        wire = _LibpqWire(driver, engine)
        pid, isolation, route.identity = await wire.ask()
        if isolation != "read committed":
            return None
        wire.exchange.prepares = is_direct(driver, pid)
        unless_good.pop_all()
    return wire


class _LibpqWire:
    def __init__(self, driver: "psycopg.AsyncConnection[Any]", engine: Engine) -> None:
        self.exchange = Exchange(driver.pgconn)
        self._driver = driver  # which closes it once it is gone
        self._pgconn = driver.pgconn
        self._engine = engine
        self._is_harmed = False

    @property
    def is_well(self) -> bool:
        return not self._is_harmed and self._pgconn.transaction_status == TransactionStatus.IDLE

    def send_in_thread(self, call: Call[T]) -> T:
        compiled = call.statement.compiled(self._engine)
        results: list[PGresult] = []
        try:
            for writes in self.exchange.ask(compiled.text, compiled.parameters(call.values), results):
                _wait(self._pgconn.socket, writes=writes)
        except UnicodeError as error:
            raise NothingSentError from error
        except (psycopg.Error, OSError) as error:
            raise WireFailed from error
        return call.answer(self._rows(compiled, results))

    async def send_in_loop(self, call: Call[T]) -> T:
        compiled = call.statement.compiled(self._engine)
        results: list[PGresult] = []
        await self._send_in_loop(compiled.text, compiled.parameters(call.values), results)
        return call.answer(self._rows(compiled, results))

    async def ask(self) -> tuple[int, str, str | None]:
        """Ask who answers, and from which database. Not as `ask_in_loop` does: cancelled, psycopg would ask the server to
        cancel, and wait for that (rule 3).
        """
        for question in QUESTIONS:
            results: list[PGresult] = []
            await self._send_in_loop(question, (), results)
            if is_done(results):
                ((pid, isolation, identity),) = rows_of(results[-1])
                return pid, isolation, identity
        raise WireFailed

    async def _send_in_loop(self, text: str, values: tuple[object, ...], results: list[PGresult]) -> None:
        loop, descriptor, ready = asyncio.get_running_loop(), self._pgconn.socket, asyncio.Event()
        try:
            loop.remove_reader(descriptor)  # of a wire with this number whose user was cut short at the end of this
            loop.add_reader(descriptor, ready.set)
        except NotImplementedError as error:  # from a loop that can watch no socket
            raise NothingSentError from error
        try:
            for writes in self.exchange.ask(text, values, results):
                if writes:
                    loop.add_writer(descriptor, ready.set)
                await ready.wait()
                ready.clear()
                if writes:
                    loop.remove_writer(descriptor)
        except UnicodeError as error:
            raise NothingSentError from error
        except (psycopg.Error, OSError) as error:
            raise WireFailed from error
        finally:
            with suppress(RuntimeError):  # the loop is closed
                loop.remove_reader(descriptor)
                loop.remove_writer(descriptor)

    def cut(self) -> None:
        with suppress(psycopg.Error):  # it is closed
            shut_down(self._pgconn.socket)

    def close(self, seconds: float) -> None:
        pgconn, end = self._pgconn, monotonic() + seconds
        with suppress(psycopg.Error, OSError):
            while self._is_under_way() and (left := end - monotonic()) > 0:
                _wait(pgconn.socket, left)
                pgconn.consume_input()
        pgconn.finish()

    def _is_under_way(self) -> bool:
        """Return whether more is to come than has arrived, which makes no socket readable, and is taken in first."""
        while not self._pgconn.is_busy() and self._pgconn.get_result() is not None:
            pass
        return self._pgconn.transaction_status == TransactionStatus.ACTIVE

    def _rows(self, compiled: Compiled, results: list[PGresult]) -> Rows:
        """Return the rows of an answer; `WireFailed` where any of it is an error."""
        if is_done(results):
            answer = results[-1]
            return compiled.converted(_Described(answer), rows_of(answer))
        codes = [result.error_field(DiagnosticField.SQLSTATE) or b"" for result in results]
        refused = _Refused(max(codes, default=b"").decode())
        self._is_harmed = not is_harmless(refused)
        raise WireFailed from refused


@dataclass(frozen=True, slots=True)
class _Described:
    """The columns of an answer, as `Compiled` asks for them with the first one."""

    answer: PGresult

    @property
    def description(self) -> list[tuple[str, int]]:
        return [("", self.answer.ftype(column)) for column in range(self.answer.nfields)]


def _wait(descriptor: int, seconds: float | None = None, *, writes: bool = False) -> None:
    """Wait until the socket is readable (or writable), at most ``seconds``."""
    if sys.platform == "win32":
        select.select([descriptor], [descriptor] if writes else [], [], seconds)
    else:  # for which a descriptor can have any number
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN | select.POLLOUT if writes else select.POLLIN)
        waiting.poll(None if seconds is None else seconds * 1000)
