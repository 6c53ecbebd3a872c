"""Spare connections to PostgreSQL."""

import asyncio
import select
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine

from ..backend import ConnectionSettings
from ..connections import Route
from ..driver_errors import is_harmless
from ..held.directness import QUESTION, is_direct
from ..held.line import shut_down
from ..held.spare import AnySpare, SpareFailed
from ..held.statement import Call

T = TypeVar("T")


async def connect(
    route: Route, engine: Engine, settings: ConnectionSettings, *, prepared_after: int, in_loops: bool
) -> AnySpare | None:
    """Connect; None where a statement by itself would run at another isolation level than READ COMMITTED.

    ``engine`` is one whose statements are compiled for this database already.
    """
    arguments = {**await route.arguments(settings), "autocommit": True}
    driver: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]
    if in_loops:
        driver = await psycopg.AsyncConnection.connect(**arguments)
        row = await (await driver.execute(QUESTION, prepare=False)).fetchone()
    else:
        connecting = asyncio.get_running_loop().run_in_executor(None, partial(_connect, arguments))
        try:
            driver, row = await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(_let_go)
            raise
    pid, isolation = row or (0, "")
    if isolation != "read committed":
        driver.pgconn.finish()
        return None
    if is_direct(driver, pid):
        driver.prepare_threshold = prepared_after
    return (
        _PsycopgInLoops(driver, engine)
        if isinstance(driver, psycopg.AsyncConnection)
        else _PsycopgInThreads(driver, engine)
    )


def _connect(arguments: Mapping[str, Any]) -> tuple["psycopg.Connection[Any]", Any]:
    driver = psycopg.connect(**arguments)
    return driver, driver.execute(QUESTION, prepare=False).fetchone()


def _let_go(connecting: "asyncio.Future[tuple[psycopg.Connection[Any], Any]]") -> None:
    """Close what nobody waits for any more."""
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result()[0].close()


class _Psycopg:
    def __init__(self, driver: "psycopg.Connection[Any] | psycopg.AsyncConnection[Any]", engine: Engine) -> None:
        self._pgconn = driver.pgconn
        self._engine = engine
        self._is_harmed = False

    @property
    def is_well(self) -> bool:
        return not self._is_harmed and self._pgconn.transaction_status == TransactionStatus.IDLE

    def cut(self) -> None:
        with suppress(psycopg.Error):  # it is closed
            shut_down(self._pgconn.socket)

    def close(self, seconds: float) -> None:
        end = monotonic() + seconds
        with suppress(psycopg.Error, OSError, ValueError):
            while self._pgconn.transaction_status == TransactionStatus.ACTIVE and (left := end - monotonic()) > 0:
                select.select([self._pgconn.socket], [], [], left)
                self._pgconn.consume_input()
                while not self._pgconn.is_busy() and self._pgconn.get_result() is not None:
                    pass
        self._pgconn.finish()


class _PsycopgInThreads(_Psycopg):
    def __init__(self, driver: "psycopg.Connection[Any]", engine: Engine) -> None:
        super().__init__(driver, engine)
        self._driver = driver

    def send(self, call: Call[T]) -> T:
        compiled = call.statement.compiled(self._engine)
        try:
            cursor = self._driver.execute(compiled.text, compiled.parameters(call.values))
            rows = cursor.fetchall()
        except (psycopg.Error, OSError) as error:
            self._is_harmed = not is_harmless(error)
            raise SpareFailed from error
        return call.answer(compiled.converted(cursor, rows))


class _PsycopgInLoops(_Psycopg):
    def __init__(self, driver: "psycopg.AsyncConnection[Any]", engine: Engine) -> None:
        super().__init__(driver, engine)
        self._driver = driver

    async def send(self, call: Call[T]) -> T:
        compiled = call.statement.compiled(self._engine)
        try:
            cursor = await self._driver.execute(compiled.text, compiled.parameters(call.values))
            rows = await cursor.fetchall()
        except (psycopg.Error, OSError, NotImplementedError) as error:  # a loop that watches no sockets has the last
            self._is_harmed = not is_harmless(error)
            raise SpareFailed from error
        return call.answer(compiled.converted(cursor, rows))
