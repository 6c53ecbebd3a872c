"""Wires to PostgreSQL: connections that libpq's asynchronous calls drive (PostgreSQL's manual, "Asynchronous Command
Processing").

psycopg has one kind of connection for threads and another one for event loops. With these calls a thread and an
event loop differ only in how they wait for the socket. Each statement is a transaction of its own.
"""

import asyncio
import select
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from sqlalchemy import Engine

from ..backend import ConnectionSettings
from ..connections import Route
from ..driver_errors import is_harmless
from ..held.directness import QUESTIONS, is_direct
from ..held.line import shut_down
from ..held.statement import Call, Compiled, Rows
from ..held.wire import NothingSentError, Wire, WireFailed

T = TypeVar("T")

_DONE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
_TYPES: Mapping[int, Callable[[str], Any]] = {
    16: "t".__eq__,  # boolean
    20: int,
    21: int,
    23: int,
    700: float,
    701: float,
}
"""How values are read, by the OID of their type; all others are texts."""


class _Refused(Exception):
    """The server has refused a statement."""

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


async def connect(route: Route, engine: Engine, settings: ConnectionSettings) -> Wire | None:
    """Connect; None where a statement by itself would run at another isolation level than READ COMMITTED.

    ``engine`` compiles statements as libpq takes them.
    """
    driver = await psycopg.AsyncConnection.connect(**{**await route.arguments(settings), "autocommit": True})
    wire = _LibpqWire(driver, engine)
    try:
        pid, isolation, route.identity = await wire.ask()
    except BaseException:
        driver.pgconn.finish()
        raise
    if isolation != "read committed":
        driver.pgconn.finish()
        return None
    wire.prepares = is_direct(driver, pid)
    return wire


class _LibpqWire:
    def __init__(self, driver: "psycopg.AsyncConnection[Any]", engine: Engine) -> None:
        self.prepares = False
        """It leads to the server itself, not to a pooler."""
        self._driver = driver  # which closes it once it is gone
        self._pgconn = driver.pgconn
        self._engine = engine
        self._prepared: dict[Compiled, bytes] = {}
        self._is_harmed = False

    @property
    def is_well(self) -> bool:
        return not self._is_harmed and self._pgconn.transaction_status == TransactionStatus.IDLE

    def send_in_thread(self, call: Call[T]) -> T:
        compiled = call.statement.compiled(self._engine)
        results: list[PGresult] = []
        try:
            for writes in self._exchange(compiled, compiled.parameters(call.values), results):
                _wait(self._pgconn.socket, writes=writes)
        except (psycopg.Error, OSError, ValueError) as error:
            raise WireFailed from error
        return call.answer(self._rows(compiled, results))

    async def send_in_loop(self, call: Call[T]) -> T:
        compiled = call.statement.compiled(self._engine)
        results: list[PGresult] = []
        await self._exchange_in_loop(self._exchange(compiled, compiled.parameters(call.values), results))
        return call.answer(self._rows(compiled, results))

    async def ask(self) -> tuple[int, str, str | None]:
        """Ask who answers, and from which database."""
        for question in QUESTIONS:
            results: list[PGresult] = []
            await self._exchange_in_loop(self._send_text(question.encode(), (), results))
            if results and results[-1].status in _DONE:
                ((pid, isolation, identity),) = _texts(results[-1])
                return int(pid or 0), isolation or "", identity
        raise WireFailed

    def cut(self) -> None:
        with suppress(psycopg.Error):  # it is closed
            shut_down(self._pgconn.socket)

    def close(self, seconds: float) -> None:
        end = monotonic() + seconds
        with suppress(psycopg.Error, OSError, ValueError):
            while self._pgconn.transaction_status == TransactionStatus.ACTIVE and (left := end - monotonic()) > 0:
                _wait(self._pgconn.socket, left)
                self._pgconn.consume_input()
                while not self._pgconn.is_busy() and self._pgconn.get_result() is not None:
                    pass
        self._pgconn.finish()

    # What is exchanged: steps between which the caller waits until the socket is readable, or writable too.

    def _exchange(self, compiled: Compiled, parameters: tuple[Any, ...], results: list[PGresult]) -> Iterator[bool]:
        try:
            text = compiled.text.encode()
            given = [None if value is None else str(value).encode() for value in parameters]
        except UnicodeError as error:
            raise NothingSentError from error
        if not self.prepares:
            yield from self._send_text(text, given, results)
            return
        name = self._prepared.get(compiled)
        if name is None:
            name = b"lease_%d" % len(self._prepared)
            self._pgconn.send_prepare(name, text)
            yield from self._take_in(results)
            if any(result.status not in _DONE for result in results):
                return
            results.clear()
            self._prepared[compiled] = name
        self._pgconn.send_query_prepared(name, given)
        yield from self._take_in(results)

    def _send_text(self, text: bytes, given: Any, results: list[PGresult]) -> Iterator[bool]:
        self._pgconn.send_query_params(text, given)
        yield from self._take_in(results)

    def _take_in(self, results: list[PGresult]) -> Iterator[bool]:
        """Send what is left to send, and take in all results: an error can follow rows."""
        pgconn = self._pgconn
        while pgconn.flush():
            yield True
            pgconn.consume_input()
        while True:
            while pgconn.is_busy():
                yield False
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                return
            results.append(result)

    async def _exchange_in_loop(self, exchange: Iterator[bool]) -> None:
        loop, descriptor, ready = asyncio.get_running_loop(), self._pgconn.socket, asyncio.Event()
        try:
            loop.add_reader(descriptor, ready.set)
        except NotImplementedError as error:  # from a loop that can watch no socket
            raise NothingSentError from error
        try:
            for writes in exchange:
                if writes:
                    loop.add_writer(descriptor, ready.set)
                await ready.wait()
                ready.clear()
                if writes:
                    loop.remove_writer(descriptor)
        except (psycopg.Error, OSError) as error:
            raise WireFailed from error
        finally:
            with suppress(RuntimeError):  # the loop is closed
                loop.remove_reader(descriptor)
                loop.remove_writer(descriptor)

    def _rows(self, compiled: Compiled, results: list[PGresult]) -> Rows:
        """Return the rows of an answer; `WireFailed` where any of it is an error."""
        for result in results:
            if result.status not in _DONE:
                refused = _Refused((result.error_field(DiagnosticField.SQLSTATE) or b"").decode())
                self._is_harmed = not is_harmless(refused)
                raise WireFailed from refused
        if not results:
            raise WireFailed
        answer = results[-1]
        types = [answer.ftype(column) for column in range(answer.nfields)]
        readers = [_TYPES.get(one) for one in types]
        rows = [
            [value if value is None or read is None else read(value) for value, read in zip(row, readers, strict=True)]
            for row in _texts(answer)
        ]
        return compiled.converted(_Described([("", one) for one in types]), rows)


@dataclass(frozen=True, slots=True)
class _Described:
    """The columns of an answer, as `Compiled` asks for them."""

    description: list[tuple[str, int]]


def _texts(result: PGresult) -> list[list[str | None]]:
    """Return the rows as PostgreSQL writes their values."""
    columns = range(result.nfields)
    return [
        [None if (value := result.get_value(row, column)) is None else value.decode() for column in columns]
        for row in range(result.ntuples)
    ]


def _wait(descriptor: int, seconds: float | None = None, *, writes: bool = False) -> None:
    """Wait until the socket is readable (or writable), at most ``seconds``."""
    if sys.platform == "win32":
        select.select([descriptor], [descriptor] if writes else [], [], seconds)
    else:  # for which a descriptor can have any number
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN | select.POLLOUT if writes else select.POLLIN)
        waiting.poll(None if seconds is None else seconds * 1000)
