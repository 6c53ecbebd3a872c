"""Spare connections to PostgreSQL."""

import asyncio
import select
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine

from ...threads import LastingThreads
from ..backend import ConnectionSettings
from ..connections import Route
from ..driver_errors import is_harmless
from ..held.directness import Answer, ask, ask_in_loop, is_direct
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
    driver: _PatientAsyncConnection | _PatientConnection
    if in_loops:
        driver = await _PatientAsyncConnection.connect(**arguments)
        try:
            pid, isolation, route.identity = await ask_in_loop(driver)
        except BaseException:
            driver.pgconn.finish()
            raise
    else:
        driver, (pid, isolation, route.identity) = await _connected_in_thread(arguments)
    if isolation != "read committed":
        driver.pgconn.finish()
        return None
    if is_direct(driver, pid):
        driver.prepare_threshold = prepared_after
    return (
        _PsycopgInLoops(driver, engine)
        if isinstance(driver, _PatientAsyncConnection)
        else _PsycopgInThreads(driver, engine)
    )


class _PatientConnection(psycopg.Connection[Any]):
    """One that a caller who is interrupted waits for: the watch over it cuts what takes too long."""

    def _try_cancel(self, *, timeout: float = 5.0) -> None:
        """Send no request to cancel (rule 3): on a silent network that alone takes so many seconds."""


class _PatientAsyncConnection(psycopg.AsyncConnection[Any]):
    """The same for event loops."""

    async def _try_cancel(self, *, timeout: float = 5.0) -> None:
        """Send no request to cancel (rule 3): on a silent network that alone takes so many seconds."""


async def _connected_in_thread(arguments: Mapping[str, Any]) -> tuple[_PatientConnection, Answer]:
    """Connect in a thread of its own, which may hang, and ask who answers."""
    thread, made, given_up = LastingThreads(1, "lease-spare"), list[_PatientConnection](), threading.Event()

    def connect_and_ask() -> Answer:
        made.append(_PatientConnection.connect(**arguments))  # before it looks: who gives up sees it, or is seen
        return (0, "", None) if given_up.is_set() else ask(made[0])

    asking = asyncio.get_running_loop().run_in_executor(thread, connect_and_ask)
    try:
        answer = await asyncio.shield(asking)
    except BaseException:
        given_up.set()
        asking.add_done_callback(lambda done: _let_go(done, made))
        if made:
            shut_down(made[0].pgconn.socket)  # nothing else ends a question that a pooler does not answer
        raise
    finally:
        thread.shutdown(wait=False)
    return made[0], answer


def _let_go(asked: "asyncio.Future[Any]", made: Sequence[psycopg.Connection[Any]]) -> None:
    """Close what nobody waits for any more."""
    _ = asked.cancelled() or asked.exception()
    for driver in made:
        driver.pgconn.finish()


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
        except (psycopg.Error, OSError, NotImplementedError) as error:  # from a loop that can watch no socket
            self._is_harmed = not is_harmless(error)
            raise SpareFailed from error
        return call.answer(compiled.converted(cursor, rows))
