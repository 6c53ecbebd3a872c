"""What user code can do to the process that it runs in: block its event loop, hold the interpreter lock. Done when a file asks for it.

A file `mischief/PID` holds two words, what and for how many seconds; it is removed when that is over.
"""

import asyncio
import ctypes
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from tests.chaos.diary import FOLDER

_LOOK_EVERY = 0.05
_armed = threading.Event()


def order(folder: Path, pid: int) -> Path:
    """The file that asks a process for mischief."""
    return folder / "mischief" / str(pid)


def armed(folder: Path, pid: int) -> Path:
    """The file that says that a process would do it."""
    return folder / "mischief" / f"{pid}-armed"


def arm(loop: asyncio.AbstractEventLoop) -> None:
    """Watch for orders in this process from now on."""
    if not _armed.is_set():
        _armed.set()
        folder = Path(os.environ[FOLDER])
        armed(folder, os.getpid()).touch()
        threading.Thread(target=_watch, args=(order(folder, os.getpid()), loop), daemon=True).start()


def _watch(path: Path, loop: asyncio.AbstractEventLoop) -> None:
    while True:
        with suppress(OSError, ValueError):
            what, seconds = path.read_text().split()
            _do(what, float(seconds), loop)
            path.unlink()
        time.sleep(_LOOK_EVERY)


def _do(what: str, seconds: float, loop: asyncio.AbstractEventLoop) -> None:
    if what == "block":
        done = threading.Event()
        loop.call_soon_threadsafe(time.sleep, seconds)
        loop.call_soon_threadsafe(done.set)
        done.wait(seconds + 60)
    else:
        # PyDLL calls with the interpreter lock held.
        ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))
