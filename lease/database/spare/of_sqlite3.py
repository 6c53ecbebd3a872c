"""Spare connections to a file of SQLite."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import chain
from queue import SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError

from ..held.spare import AnySpare, NothingSentError, SpareFailed
from ..held.statement import Call
from ..turnstile import Turnstile

T = TypeVar("T")


def connect(engine: Engine, path: str, which: Callable[[], object], *, in_loops: bool) -> AnySpare:
    """Connect with ``engine``, whose connections any thread may use, to the file at ``path``; ``which`` tells
    which one is there now.
    """
    spare = _Sqlite3InThreads(engine.connect(), path, which)
    return _Sqlite3InLoops(spare) if in_loops else spare


class _Sqlite3InThreads:
    def __init__(self, connection: Connection, path: str, which: Callable[[], object]) -> None:
        self._turnstile = Turnstile(path).__enter__()  # open for as long as this is
        self._connection = connection
        self._driver: Any = connection.connection.driver_connection
        self._which = which
        self._file = which()
        self._is_moved = False

    @property
    def is_well(self) -> bool:
        return not self._is_moved and not self._driver.in_transaction

    def cut(self) -> None:
        with suppress(sqlite3.Error):  # it is closed
            self._driver.interrupt()

    def close(self, seconds: float) -> None:
        del seconds  # whoever began a statement has seen its end
        with suppress(sqlite3.Error, DatabaseError):
            self._connection.close()
        self._turnstile.__exit__()

    def send(self, call: Call[T]) -> T:
        self._is_moved = self._which() != self._file
        if self._is_moved:
            raise NothingSentError("another file is in the database's place")
        compiled = call.statement.compiled(self._connection)
        cursor = self._driver.cursor()
        try:
            if self._turnstile.is_passed:
                raise NothingSentError("others write")
            rows = _in_one_step(cursor, compiled.text, compiled.parameters(call.values))
        except (sqlite3.Error, OSError) as error:
            raise SpareFailed from error
        finally:
            cursor.close()
        return call.answer(compiled.converted(cursor, rows))


def _in_one_step(cursor: sqlite3.Cursor, text: str, parameters: Any) -> list[Any]:
    """Run a statement in a transaction of its own, and return all rows.

    No bytecode of Python is run in the midst of it: there a signal's handler could stop this thread
    for as long as it likes, with the file locked for all others.
    """
    return list(chain.from_iterable(map(cursor.execute, (text,), (parameters,))))


class _Sqlite3InLoops:
    """One that is used in a thread of its own, since writing to a file blocks."""

    def __init__(self, spare: _Sqlite3InThreads) -> None:
        self._spare = spare
        self._calls: SimpleQueue[tuple[Call[Any], asyncio.Future[Any]] | None] = SimpleQueue()
        self._is_over = threading.Event()
        threading.Thread(target=self._run, name="lease-spare", daemon=True).start()

    @property
    def is_well(self) -> bool:
        return self._spare.is_well

    def cut(self) -> None:
        self._spare.cut()

    def close(self, seconds: float) -> None:
        self._calls.put(None)
        if self._is_over.wait(seconds):
            self._spare.close(seconds)

    async def send(self, call: Call[T]) -> T:
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._calls.put((call, answer))
        return await answer

    def _run(self) -> None:
        while (asked := self._calls.get()) is not None:
            call, answer = asked
            try:
                step = partial(_set, answer, self._spare.send(call))
            except Exception as error:  # noqa: BLE001 - its caller is told
                step = partial(_fail, answer, error)
            with suppress(RuntimeError):  # its caller's loop is closed
                answer.get_loop().call_soon_threadsafe(step)
            del asked, call, answer, step  # this waits in `get`, and would keep what they refer to
        self._is_over.set()


def _set(answer: "asyncio.Future[T]", result: T) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: "asyncio.Future[Any]", error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
