"""The mischief of user code in its process: a blocked event loop, a held interpreter lock, or no descriptor left.

A file `mischief/PID` orders it with two words, what and for how many seconds, and is removed when
it is over.
"""

import asyncio
import ctypes
import os
import resource
import threading
import time
from contextlib import suppress
from pathlib import Path

from tests.chaos.diary import FOLDER

_LOOK_EVERY = 0.05
_armed = threading.Event()


def order(folder: Path, pid: int) -> Path:
    """Return the file that orders a process to do mischief."""
    return folder / "mischief" / str(pid)


def armed(folder: Path, pid: int) -> Path:
    """Return the file that shows that a process watches for orders."""
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
    elif what == "fill":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())), hard))
        time.sleep(seconds)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    else:
        # PyDLL calls with the interpreter lock held.
        ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))
