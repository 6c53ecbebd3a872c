"""A call that may block for ever, in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

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
