"""Wires to a file of SQLite."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from queue import SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError

from ...threads import unless_done
from ..held.statement import Call
from ..writer_gate import WriterGate
from . import NothingSentError, WireFailed

T = TypeVar("T")
_Asked = tuple[Call[Any], "asyncio.Future[Any]"]


class Sqlite3Wire:
    """A connection of ``engine``, whose connections any thread may use, to the file at ``path``; ``which`` tells
    which one is there now. Event loops use it in a thread of its own, since writing to a file blocks.
    """

    def __init__(self, engine: Engine, path: str, which: Callable[[], object]) -> None:
        self._connection = engine.connect()
        self._writer_gate = WriterGate(path).__enter__()  # open for as long as this is
        self._driver: Any = self._connection.connection.driver_connection
        self._which = which
        self._file = which()
        self._is_moved = False
        self._asked: SimpleQueue[_Asked | None] = SimpleQueue()
        self._has_worker = False
        self._is_over = threading.Event()

    @property
    def is_well(self) -> bool:
        return not self._is_moved and not self._driver.in_transaction

    def cut(self) -> None:
        with suppress(sqlite3.Error):  # it is closed
            self._driver.interrupt()

    def close(self, seconds: float) -> None:
        self._asked.put(None)
        if self._has_worker and not self._is_over.wait(seconds):
            return
        with suppress(sqlite3.Error, DatabaseError):
            self._connection.close()
        self._writer_gate.__exit__()

    async def send_in_loop(self, call: Call[T]) -> T:
        if not self._has_worker:  # where a signal comes before this is noted, there are two, and one works at a time
            try:
                threading.Thread(target=self._work, name="lease-wire", daemon=True).start()
            except RuntimeError as error:  # the system has no thread left
                raise NothingSentError from error
            self._has_worker = True
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._asked.put((call, answer))
        try:
            return await answer
        finally:
            del answer  # an error that it has keeps this frame, and must not be kept by it

    def send_in_thread(self, call: Call[T]) -> T:
        self._is_moved = self._which() != self._file
        if self._is_moved:
            raise NothingSentError("another file is in the database's place")
        compiled = call.statement.compiled(self._connection)
        cursor = self._driver.cursor()
        try:
            if self._writer_gate.is_passed:
                raise NothingSentError("others write")
            rows = _in_one_step(cursor, compiled.text, compiled.parameters(call.values))
        except (sqlite3.Error, OSError) as error:
            raise WireFailed from error
        finally:
            cursor.close()
        return call.answer(compiled.converted(cursor, rows))

    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            call, answer = asked
            try:
                step = unless_done(answer, answer.set_result, self.send_in_thread(call))
            except Exception as error:  # noqa: BLE001 - its caller is told
                step = unless_done(answer, answer.set_exception, error)
            with suppress(RuntimeError):  # its caller's loop is closed
                answer.get_loop().call_soon_threadsafe(step)
            del asked, call, answer, step  # this waits in `get`, and would keep what they refer to
        self._is_over.set()
        self._asked.put(None)


def _in_one_step(cursor: sqlite3.Cursor, text: str, parameters: Any) -> list[Any]:
    """Run a statement in a transaction of its own, and return all rows.

    No bytecode of Python is run in the midst of it: there a signal's handler could stop this thread
    for as long as it likes, with the file locked for all others.
    """
    return list(chain.from_iterable(map(cursor.execute, (text,), (parameters,))))
