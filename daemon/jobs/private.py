"""The private parts of Python that jobs use, because there is no public way. Each has a test that names the part if a later
version lacks it.
"""

import atexit
import ctypes
import os
import threading
from contextvars import Context
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio.events import Handle
    from random import Random


def end_threads_and_exits() -> None:
    """Wait for the threads that are no daemons, and call what is registered for the exit, as an interpreter does at its end."""
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - no public function waits for all threads
    atexit._run_exitfuncs()  # noqa: SLF001 - only the interpreter's own end calls them otherwise


def shared_random() -> "Random":
    """Return the generator behind the functions of `random`."""
    import random  # noqa: PLC0415 - most jobs need none

    return random._inst  # noqa: SLF001 - `random` has no name for it


def raise_in(ident: int, error: type[BaseException] | None) -> None:
    """Raise an error in a thread as soon as it runs Python, or take it back with None."""
    given = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), given)


def is_of_callback(frame: FrameType) -> bool:
    """Return whether a frame is the one in which an event loop calls a callback: it calls all of them there."""
    from asyncio.events import Handle  # noqa: PLC0415 - most jobs have no event loop

    return frame.f_code is Handle._run.__code__  # noqa: SLF001 - nothing else tells a callback's first frame


def context_of(callback: "Handle") -> Context:
    """Return the context in which a callback runs: `Handle.get_context` is new in Python 3.12."""
    return callback._context  # type: ignore[attr-defined, no-any-return]  # noqa: SLF001 - see above


class ShownVariable:
    """A variable in the environment that the kernel shows of this process: that with which the program was started, and a
    fork starts none.
    """

    def __init__(self, name: str) -> None:
        libc = ctypes.CDLL(None)
        libc.getenv.restype = ctypes.c_void_p
        before = len(name) + 1
        self._address = libc.getenv(name.encode()) - before
        self._size = before + len(os.environb[name.encode()])

    def show(self, name: str, value: bytes) -> None:
        """Show another variable in its place, which must be no longer."""
        ctypes.memmove(self._address, f"{name}=".encode() + value.ljust(self._size, b"\0"), self._size)
