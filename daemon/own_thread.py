"""Work alongside its caller: a call that may block without limit, in a thread of its own, and a task during a block."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

T = TypeVar("T")


async def in_own_thread(call: Callable[[], T], name: str) -> T:
    """Return what ``call`` returns, or raise what it raises. Its thread does not keep the process from exiting."""
    ended: Future[T] = Future()
    ended.set_running_or_notify_cancel()  # the waiting task may be cancelled, but not the call

    def run() -> None:
        try:
            ended.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller, sys.exit included
            ended.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await asyncio.wrap_future(ended)


def soon(loop: asyncio.AbstractEventLoop, step: Callable[[], object]) -> bool:
    """Do ``step`` in an event loop, from any thread; return False if the loop has ended."""
    try:
        loop.call_soon_threadsafe(step)
    except RuntimeError:
        return False
    return True


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Do this work during the block; what is left of it then is cancelled."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
