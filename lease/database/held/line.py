"""The socket of an attempt under way, by which it is ended on a silent network too (rule 3)."""

import asyncio
import os
import socket
from contextlib import suppress
from contextvars import ContextVar
from traceback import clear_frames
from typing import Any, TypeVar

T = TypeVar("T")

_AFTER_THE_CUT = 1.0
"""Seconds that a cut call may take to notice; after that it is left to itself."""


class Line:
    """The socket of an attempt under way."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self.is_cut = False

    def runs_over(self, driver: Any) -> None:
        self._descriptor = driver.fileno()

    async def cut(self, task: "asyncio.Task[T]") -> None:
        """End the attempt now; whether the server carries it out is not known."""
        self.is_cut = True
        task.add_done_callback(forget)
        if task.done():
            return
        if self._descriptor is None:
            task.cancel()
        else:
            shut_down(self._descriptor)
        await asyncio.wait({task}, timeout=_AFTER_THE_CUT)


current: ContextVar[Line | None] = ContextVar("lease_line", default=None)
"""The line of the attempt that makes a connection."""


def connected(connection: Any, _record: Any) -> None:
    """Note the socket of a new connection before SQLAlchemy asks it for the server's version: the
    network can fall silent then too.
    """
    line = current.get()
    if line is not None:
        line.runs_over(connection.driver_connection)


def shut_down(descriptor: int) -> None:
    """End a connection without a word to the server, from any thread."""
    with suppress(OSError):
        line = socket.socket(fileno=os.dup(descriptor))
        try:
            line.shutdown(socket.SHUT_RDWR)
        finally:
            line.close()


def forget(task: "asyncio.Task[T]") -> None:
    """Drop the error of a call that was cut, and with it the half-made connection that its frames refer to.

    Otherwise that stays open until the garbage collector runs, and the server waits for it meanwhile.
    """
    try:
        task.result()
    except BaseException as error:  # noqa: BLE001 - any error will do
        clear_frames(error.__traceback__)
