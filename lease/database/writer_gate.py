"""A gate before SQLite's write lock, so that back-to-back writers starve nobody.

SQLite's own waiting is not fair: a process that ends one write and begins the next at once wins the lock again and
again, and a renewal beside it times out. A writer passes the writer gate to begin its write, and lets it go as soon as
the write has begun, so that the writer in front cannot begin again before the one behind it.
"""

import asyncio
import errno
import os
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Self
from weakref import WeakSet

if os.name == "posix":
    import fcntl

_PAUSE = 0.001
_PAUSE_OF_A_LOOP = 0.002
_waiting: dict[str, threading.Lock] = {}
"""By path: held by the one thread of this process that looks whether it may pass. Forty that look
each millisecond slow down the writer.
"""


class WriterGateBusy(TimeoutError):
    """The turn did not come in time."""


class WriterGate:
    """The writer gate of the database file at ``path``: passed from `pass_within`,
    `pass_soon` or `pass_now` until the block ends.

    A file beside the database is locked (``flock``), which the operating system lets go when a
    process dies. Where the platform has no such lock (Windows), all pass at once. Whoever can open
    the file can hold up every writer, so that only those can who may write to the database.
    """

    def __init__(self, path: str) -> None:
        self._path = os.path.realpath(path)  # one for all the names of a database
        self._descriptor = -1

    def __enter__(self) -> Self:
        if os.name == "posix":
            self._descriptor = _opened(f"{self._path}-turnstile", self._path)
            _entered.add(self)
        return self

    def __exit__(self, *error: object) -> None:
        if self._descriptor >= 0:
            _entered.discard(self)
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # closing leaves it locked where a child was forked meanwhile
            os.close(self._descriptor)

    def leave_to_the_parent(self) -> None:
        """Close it in a forked child, who would keep it locked where its parent is killed meanwhile."""
        os.close(self._descriptor)
        self._descriptor = -1

    def pass_now(self) -> bool:
        """Pass if no other process or thread has passed; return whether it did."""
        if self._descriptor < 0:
            return True
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @property
    def is_passed(self) -> bool:
        """Whether another process or thread has passed. To find out, this passes and leaves at once, in one
        step, where no signal's handler can stop it.
        """
        if self._descriptor < 0:
            return False
        try:
            list(map(fcntl.flock, (self._descriptor,) * 2, (fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_UN)))
        except BlockingIOError:
            return True
        return False

    def pass_within(self, seconds: float) -> None:
        """Wait at most ``seconds`` to pass; `WriterGateBusy` says that it took longer."""
        deadline = time.monotonic() + seconds
        looking = _waiting.setdefault(self._path, threading.Lock())
        if not looking.acquire(timeout=seconds):
            raise self._busy()
        try:
            while not self.pass_now():
                if time.monotonic() >= deadline:
                    raise self._busy()
                time.sleep(_PAUSE)
        finally:
            looking.release()

    async def pass_soon(self, seconds: float) -> None:
        """Wait at most ``seconds`` to pass without blocking the caller's event loop; `WriterGateBusy`
        says that it took longer.
        """
        deadline = time.monotonic() + seconds
        while not self.pass_now():
            if time.monotonic() > deadline:
                raise self._busy()
            await asyncio.sleep(_PAUSE_OF_A_LOOP)

    def _busy(self) -> WriterGateBusy:
        return WriterGateBusy(f"another process has kept {self._path} locked for writing for too long")


_entered: WeakSet[WriterGate] = WeakSet()


def _leave_to_the_parent() -> None:
    _waiting.clear()
    while _entered:
        _entered.pop().leave_to_the_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)


def _opened(file: str, database: str) -> int:
    """Open the writer gate's file, made where it is missing, with the rights that it is to have."""
    try:
        owner = os.stat(database)  # noqa: PTH116 - before each write, and a Path costs more
    except FileNotFoundError:
        owner = None
    try:
        descriptor = _found_or_made(file, owner)
    except FileNotFoundError:
        raise OSError(f"its folder {Path(database).parent} does not exist; create it first") from None
    except PermissionError:
        raise OSError(f"this user cannot open {file}, which every writer of the database opens") from None
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise
        raise _no_plain_file(file) from None
    try:
        _check(descriptor, file, owner)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _found_or_made(file: str, database: os.stat_result | None) -> int:
    """Open the file, or make it as SQLite makes its own: of the database's owner and group, where we may say so."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK
    with suppress(FileNotFoundError):
        return os.open(file, flags)
    try:
        descriptor = os.open(file, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another was faster
        return os.open(file, flags)
    if database is not None:
        for owner in (database.st_uid, -1):
            with suppress(PermissionError):
                os.fchown(descriptor, owner, database.st_gid)
                break
    return descriptor


def _check(descriptor: int, file: str, database: os.stat_result | None) -> None:
    """Give the file the database's rights to write, now and whenever those have changed, if it is
    ours; `OSError` says that it can't be trusted.
    """
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise _no_plain_file(file)
    if database is None:
        return
    by_all, by_group = database.st_mode & stat.S_IWOTH, database.st_mode & stat.S_IWGRP
    may_write = (
        found.st_uid in (0, os.geteuid(), database.st_uid) or by_all or (by_group and found.st_gid == database.st_gid)
    )
    if not may_write:
        raise OSError(f"{file} belongs to user {found.st_uid}, who may not write to the database; delete it")
    mode = stat.S_IMODE(found.st_mode)
    if mode != _mode(database.st_mode) and os.geteuid() in (0, found.st_uid):
        os.fchmod(descriptor, _mode(database.st_mode))


def _no_plain_file(file: str) -> OSError:
    return OSError(f"{file} is a link or not a regular file, but leased keeps its own file there; delete it")


def _mode(database: int) -> int:
    """Return the rights of those who may write to the database: to open is enough to lock."""
    writers = database & 0o222
    return 0o600 | writers | writers << 1
