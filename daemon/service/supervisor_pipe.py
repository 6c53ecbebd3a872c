"""A replica's word from its supervisor: a pipe that ends when the supervisor does, SIGKILL included."""

import asyncio
import os

from .environment import SUPERVISOR_FD


def supervisor_pipe() -> int | None:
    """Return the end of the pipe that this replica inherited; None when nobody supervises it.

    Takes the variable out of the environment: the number means nothing to a child of this process.
    """
    text = os.environ.pop(SUPERVISOR_FD, "")
    if not text.isascii() or not text.isdigit():
        return None
    descriptor = int(text)
    try:
        os.set_inheritable(descriptor, False)
    except OSError:
        return None
    return descriptor


async def supervisor_gone(descriptor: int | None) -> None:
    """Return once the supervisor has died; with no ``descriptor``, never."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    if descriptor is None:
        await gone.wait()
        return
    loop.add_reader(descriptor, gone.set)  # nothing is ever written: readable means ended
    try:
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)
