"""A turnstile before SQLite's write lock, so that back-to-back writers starve nobody.

SQLite's own waiting is not fair: a process that ends one write and begins the next at once wins the
lock again and again, and a renewal beside it times out. A writer passes the turnstile to begin its
write, and lets it go as soon as the write has begun, so that the writer in front cannot begin again
before the one behind it.
"""

import asyncio
import os
import threading
import time
from pathlib import Path
from typing import Self

if os.name == "posix":
    import fcntl

_PAUSE = 0.001
_PAUSE_OF_A_LOOP = 0.002
_waiting: dict[str, threading.Lock] = {}
"""By path: held by the one thread of this process that looks whether it may pass. Forty that look
each millisecond slow down the writer.
"""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_waiting.clear)


class TurnstileBusy(TimeoutError):
    """The turn did not come in time."""


class NoFolder(OSError):
    """There is no folder to make the database's file in."""


class Turnstile:
    """The turnstile of the database file at ``path``: passed from `pass_within`,
    `pass_soon` or `pass_now` until the block ends.

    A file beside the database is locked (``flock``), which the operating system lets go when a
    process dies. Where the platform has no such lock (Windows), all pass at once.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> Self:
        if os.name == "posix":
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            try:
                self._descriptor = os.open(f"{self._path}-turnstile", flags, _mode(self._path))
            except FileNotFoundError:
                raise NoFolder(f"its folder {Path(self._path).parent} does not exist; make it first") from None
        return self

    def __exit__(self, *error: object) -> None:
        if self._descriptor >= 0:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # closing leaves it locked where a child was forked meanwhile
            os.close(self._descriptor)

    def pass_now(self) -> bool:
        """Pass if no other process or thread has passed; return whether it did."""
        if self._descriptor < 0:
            return True
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def pass_within(self, seconds: float) -> None:
        """Wait at most ``seconds`` to pass; `TurnstileBusy` says that it took longer."""
        deadline = time.monotonic() + seconds
        looking = _waiting.setdefault(self._path, threading.Lock())
        if not looking.acquire(timeout=max(0.0, seconds)):
            raise self._busy()
        try:
            while not self.pass_now():
                if time.monotonic() >= deadline:
                    raise self._busy()
                time.sleep(_PAUSE)
        finally:
            looking.release()

    async def pass_soon(self, seconds: float) -> None:
        """Wait at most ``seconds`` to pass without blocking the caller's event loop; `TurnstileBusy`
        says that it took longer.
        """
        deadline = time.monotonic() + seconds
        while not self.pass_now():
            if time.monotonic() > deadline:
                raise self._busy()
            await asyncio.sleep(_PAUSE_OF_A_LOOP)

    def _busy(self) -> TurnstileBusy:
        return TurnstileBusy(f"another process has been about to write to {self._path} for too long")


def _mode(path: str) -> int:
    """Return the database file's own permissions, so that whoever may write to it may pass."""
    try:
        return Path(path).stat().st_mode & 0o666
    except FileNotFoundError:
        return 0o666
