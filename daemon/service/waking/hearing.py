"""The hearing of a replica: it learns, without asking, that there may be something to do (rule 24).

What is heard is a hint. Hearing counts as working only after the replica has heard itself, and a sign of life proves it
again and again: a pooler swallows notifications, a network may be silent, and a file system may tell nothing.
"""

import asyncio
import ctypes
import os
import sqlite3
import struct
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic

from lease.database.file_connection import FileConnection

from ...telemetry.facts import Note, Notify
from .idle_wait import Wakes

ANSWERS_WITHIN = 2.0
"""Seconds after a sign of life in which it must have been heard; otherwise hearing begins anew."""

_RECENTLY = 5.0
"""Seconds for which one that has heard something needs no other proof."""


class Hearing:
    """The hearing, from `begin` to `close`. This one hears nothing: its replica looks by itself."""

    @property
    def works(self) -> bool:
        """Whether it hears, as far as is known."""
        return False

    @property
    def needs_proof(self) -> bool:
        """Whether the next sign of life is to be one that it hears: it has heard nothing for a while."""
        return False

    def begin(self, hearer: Wakes) -> None:
        """Begin to hear, for ``hearer``."""

    def expect(self, since: float) -> None:
        """Expect to hear the sign of life that was sent after this monotonic time."""

    async def close(self) -> None:
        """Hear no more."""


class ProvenHearing(Hearing, ABC):
    """A hearing that has to hear the replica's own signs of life. Where many replicas hear each other, few have to send
    anything for that.
    """

    def __init__(self) -> None:
        self._hearer: Wakes | None = None
        self._heard_at = 0.0
        self._expecting: asyncio.TimerHandle | None = None

    @property
    def needs_proof(self) -> bool:
        return monotonic() - self._heard_at > _RECENTLY

    def expect(self, since: float) -> None:
        """Begin anew if nothing is heard in time; it may have been, while the answer to the commit was on its way. In two
        steps, since a loop that has stood still has yet to read what came meanwhile.
        """
        if self._heard_at < since and self._expecting is None:
            self._wait(lambda: self._wait(self._unheard))

    async def close(self) -> None:
        self._forget()

    def _wait(self, then: Callable[[], None]) -> None:
        self._expecting = asyncio.get_running_loop().call_later(ANSWERS_WITHIN / 2, then)

    @abstractmethod
    def _unheard(self) -> None:
        """Begin to hear again: the sign of life was not heard."""

    def _heard(self) -> None:
        self._heard_at = monotonic()
        self._forget()

    def _forget(self) -> None:
        if self._expecting is not None:
            self._expecting.cancel()
            self._expecting = None


# The hearing on SQLite: the changes of its file, whichever process commits them
#
# SQLite counts the commits of others for each connection, which costs some microseconds to read. On Linux the kernel
# tells when the file's `-wal` is written to (inotify), and the count is read then; and again after that, as a commit can
# be seen only when all of it is written and on the disk. Elsewhere it is read all the time.

_IN_MODIFY = 0x2
_IN_Q_OVERFLOW = 0x4000
_EVENT = struct.Struct("iIII")
_BUFFER = 65_536
_COUNT_EVERY = 0.02
"""Seconds between two reads of the count where nothing tells when to."""
_FIRST, _GROWTH, _LAST = 0.001, 1.5, 1.0
"""Seconds from a write to the next read of the count, the growth factor of each later wait, and the longest wait."""


class FileChanges:
    """Calls ``changed`` after each commit, of this process too; several may make one call."""

    def __init__(self, file: str, changed: Callable[[], None]) -> None:
        self._file = Path(file).resolve()
        self._changed = changed
        self._inotify: int | None = None
        self._written = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._inotify = _inotify_of(self._file.parent) if sys.platform == "linux" else None
        if self._inotify is not None:
            loop.add_reader(self._inotify, self._read)
        self._watching = loop.create_task(self._watch())

    def close(self) -> None:
        """End; it may be opened again."""
        if self._inotify is not None:
            asyncio.get_running_loop().remove_reader(self._inotify)
            os.close(self._inotify)
            self._inotify = None
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None

    def _read(self) -> None:
        written = os.fsencode(f"{self._file.name}-wal")
        with suppress(BlockingIOError):
            assert self._inotify is not None  # noqa: S101 - otherwise nothing reads
            if any(name == written or mask & _IN_Q_OVERFLOW for mask, name in _events(os.read(self._inotify, _BUFFER))):
                self._written.set()

    async def _watch(self) -> None:
        moments = self._moments()
        missed, address = False, f"{self._file.as_uri()}?mode=rw"
        while True:
            # It is being replaced, say. Without patience: whoever waits here is the event loop.
            with suppress(sqlite3.Error), closing(FileConnection(address, uri=True, timeout=0.0)) as connection:
                before = _count(connection)
                if missed:
                    self._changed()
                async for _ in moments:
                    if (now := _count(connection)) != before:
                        before = now
                        self._changed()
            missed = True
            await asyncio.sleep(_LAST)

    async def _moments(self) -> AsyncIterator[None]:
        wait = _COUNT_EVERY
        while True:
            if self._inotify is None:
                await asyncio.sleep(_COUNT_EVERY)
            elif wait > _LAST or self._written.is_set():
                await self._written.wait()
                self._written.clear()
                wait = _FIRST
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._written.wait()
                wait *= _GROWTH
            yield


def _count(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute("PRAGMA data_version").fetchone()
    return int(count)


def _inotify_of(folder: Path) -> int | None:
    """Return a descriptor that tells what is written to files of a folder; None where there is none. The folder,
    because the `-wal` comes and goes, and the whole database may be replaced.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        return None
    if libc.inotify_add_watch(descriptor, os.fsencode(folder), _IN_MODIFY) < 0:
        os.close(descriptor)
        return None
    return descriptor


def _events(read: bytes) -> Iterator[tuple[int, bytes]]:
    """Return what happened, and to the file of which name."""
    at = 0
    while at < len(read):
        _, mask, _, length = _EVENT.unpack_from(read, at)
        at += _EVENT.size + length
        yield mask, read[at - length : at].rstrip(b"\0")


_APART = 0.05
"""Seconds between two looks at the least, for the sake of whoever commits all the time."""


class Commits(ProvenHearing):
    """What a replica hears of the commits to its file. Each sign of life is one, and proves that it hears."""

    def __init__(self, file: str, notify: Notify) -> None:
        super().__init__()
        self._file, self._notify = file, notify
        self._changes = FileChanges(file, self._changed)
        self._works = False
        self._reported = False
        self._told_at = 0.0
        self._telling: asyncio.TimerHandle | None = None

    @property
    def works(self) -> bool:
        return self._works

    def begin(self, hearer: Wakes) -> None:
        self._hearer = hearer
        self._changes.open()
        hearer.look_again()  # the sign of life that belongs to it is the first that must be heard

    async def close(self) -> None:
        await super().close()
        self._changes.close()
        if self._telling is not None:
            self._telling.cancel()

    def _changed(self) -> None:
        self._heard()
        if self._reported:
            self._notify(Note(f"now watching {self._file} for changes"))
        self._works, self._reported = True, False
        if self._telling is None:
            wait = max(0.0, self._told_at + _APART - monotonic())
            self._telling = asyncio.get_running_loop().call_later(wait, self._tell)

    def _tell(self) -> None:
        self._telling, self._told_at = None, monotonic()
        if self._hearer is not None:
            self._hearer.changed()

    def _unheard(self) -> None:
        self._forget()
        self._changes.close()
        self._changes.open()
        if not self._reported:
            self._reported = True
            self._notify(Note(f"cannot watch {self._file} for changes, so this replica polls (see `poll`)"))
        if self._works and self._hearer is not None:
            self._works = False
            self._hearer.look_again()
