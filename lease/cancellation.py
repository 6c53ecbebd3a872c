"""Cancellation: of a block's task when the block's lease is lost (rule 9), and of a task that waits for
what the library's thread answers.
"""

import asyncio
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from .model import Loss
from .threads import unless_done

T = TypeVar("T")


class CancelledOnLoss:
    """A block that is cancelled when a lease is lost, as `asyncio.timeout` cancels its block.

    It is the task which entered the block that is cancelled, once; the block drops that cancellation at its end, and no
    other. It may be left in another task than it was entered in, as fixtures and services do, which no scope of anyio
    allows. Then nothing is dropped, and if the task that entered it has ended, nothing is cancelled either.
    """

    def __init__(self, on_lost: Callable[[Callable[[Loss], None]], None]) -> None:
        self._on_lost = on_lost
        self._over = False
        self._cancelled = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        # Weakly, and no loop: as its frames, and all that runs in that loop, would live for as long as this.
        self._task: Callable[[], asyncio.Task[Any] | None] = _nothing if task is None else weakref.ref(task)
        self._earlier = 0 if task is None else task.cancelling()
        self._on_lost(self._lost)
        del self._on_lost  # its lease refers to this now, and need not be referred to by it
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._over = True
        task = asyncio.current_task()
        if task is None or not self._cancelled or self._task() is not task:
            return False
        others = task.uncancel() - self._earlier
        return others <= 0 and isinstance(error, asyncio.CancelledError)

    def _lost(self, _: Loss) -> None:
        task = self._task()
        if task is not None:
            with suppress(RuntimeError):  # its loop is closed: nothing of the block runs any more
                task.get_loop().call_soon_threadsafe(self._cancel)  # not the task: a loop at rest would keep it

    def _cancel(self) -> None:
        if not self._over and (task := self._task()) is not None:
            self._cancelled = task.cancel()


def _nothing() -> None:
    """Stand for a task that there is not."""


def is_cancelled() -> bool:
    """Return whether this task is being cancelled; an attempt that was cut off can raise CancelledError too."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def answer(future: "Future[T]") -> T:
    """Wait for the answer; a cancellation of the caller cancels what was asked."""
    try:
        return await done(future)
    except asyncio.CancelledError:
        future.cancel()
        raise
    finally:
        del future  # an error that it has keeps this frame, and must not be kept by it


async def settled(future: "Future[Any]") -> None:
    """Wait until it is done, whatever its result is (see `done`)."""
    loop = asyncio.get_running_loop()
    woken = loop.create_future()
    if not future.done():
        future.add_done_callback(lambda _: _wake(loop, woken))
    # If it is done by now, the callback may have run in this thread, and what a signal's handler raised in it is lost.
    if future.done():
        await asyncio.sleep(0)  # others have their turn
    else:
        await woken


async def done(future: "Future[T]") -> T:
    """Wait for the result; where the caller is cancelled, what it waits for goes on to its end."""
    await settled(future)
    try:
        if future.cancelled():
            raise asyncio.CancelledError  # concurrent.futures' own one would pass for an ordinary error
        return future.result()
    finally:
        del future


def _wake(loop: asyncio.AbstractEventLoop, woken: "asyncio.Future[None]") -> None:
    with suppress(RuntimeError):  # the loop is closed, and nobody waits in it any more
        loop.call_soon_threadsafe(unless_done(woken, woken.set_result, None))


async def uncut(future: "Future[T] | asyncio.Future[T]") -> T:
    """Wait until it is done; only then is a cancellation that came meanwhile raised."""
    cut = None
    try:
        while not future.done():
            try:
                await (asyncio.wait({future}) if isinstance(future, asyncio.Future) else settled(future))
            except asyncio.CancelledError as error:
                cut = error
        if cut is not None:
            _ = future.cancelled() or future.exception()  # asyncio would log what nobody asked for
            raise cut
        if future.cancelled():
            raise asyncio.CancelledError  # as in `done`
        return future.result()
    finally:
        del cut, future
