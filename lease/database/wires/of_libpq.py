"""Wires to PostgreSQL."""

import asyncio
import select
import sys
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.pq import DiagnosticField, TransactionStatus
from psycopg.pq.abc import PGresult
from sqlalchemy import Engine

from ..backend import ConnectionSettings
from ..connections import Route
from ..driver_errors import is_harmless
from ..held.directness import QUESTIONS, is_direct
from ..held.exchange import Exchange, is_done, rows_of, types_of
from ..held.line import shut_down
from ..held.statement import Call, Compiled, Rows
from ..held.wire import NothingSentError, Wire, WireFailed

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
    wire = _LibpqWire(driver, engine)
    try:
        pid, isolation, route.identity = await wire.ask()
    except BaseException:
        driver.pgconn.finish()
        raise
    if isolation != "read committed":
        driver.pgconn.finish()
        return None
    wire.exchange.prepares = is_direct(driver, pid)
    return wire


class _LibpqWire:
    def __init__(self, driver: "psycopg.AsyncConnection[Any]", engine: Engine) -> None:
        self.exchange = Exchange(driver.pgconn, "lease_wire")
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
        """Ask who answers, and from which database."""
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
            self._drain()  # first: what has arrived already makes no socket readable
            while pgconn.transaction_status == TransactionStatus.ACTIVE and (left := end - monotonic()) > 0:
                _wait(pgconn.socket, left)
                pgconn.consume_input()
                self._drain()
        pgconn.finish()

    def _drain(self) -> None:
        while not self._pgconn.is_busy() and self._pgconn.get_result() is not None:
            pass

    def _rows(self, compiled: Compiled, results: list[PGresult]) -> Rows:
        """Return the rows of an answer; `WireFailed` where any of it is an error."""
        if is_done(results):
            answer = results[-1]
            return compiled.converted(_Described([("", one) for one in types_of(answer)]), rows_of(answer))
        codes = [result.error_field(DiagnosticField.SQLSTATE) or b"" for result in results]
        refused = _Refused(max(codes, default=b"").decode())
        self._is_harmed = not is_harmless(refused)
        raise WireFailed from refused


@dataclass(frozen=True, slots=True)
class _Described:
    """The columns of an answer, as `Compiled` asks for them."""

    description: list[tuple[str, int]]


def _wait(descriptor: int, seconds: float | None = None, *, writes: bool = False) -> None:
    """Wait until the socket is readable (or writable), at most ``seconds``."""
    if sys.platform == "win32":
        select.select([descriptor], [descriptor] if writes else [], [], seconds)
    else:  # for which a descriptor can have any number
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN | select.POLLOUT if writes else select.POLLIN)
        waiting.poll(None if seconds is None else seconds * 1000)
