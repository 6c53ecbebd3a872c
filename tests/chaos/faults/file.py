"""Faults of the SQLite file: another writer, a full disk, a reader that blocks the checkpoint."""

import contextlib
import os
import sqlite3
from contextlib import closing

from lease.database.writer_gate import WriterGate, WriterGateBusy

from ..diary import boottime
from ..site import SqliteSite
from .fault import Scene, SiteFault

_TO_BE_FELT = 4.0
"""Seconds in which a full disk must have had an effect; otherwise the fault had none."""


class _File(SiteFault):
    on = SqliteSite

    @property
    def path(self) -> str:
        return self.scene.site.url.partition("///")[2]

    def connect(self) -> None:
        self._connection = sqlite3.connect(self.path, timeout=2, isolation_level=None, check_same_thread=False)

    def start(self) -> bool:
        """Keep a snapshot of the file."""
        self.connect()
        self._connection.execute("BEGIN")
        self._connection.execute("SELECT count(*) FROM lease").fetchone()
        return True

    def stop(self) -> None:
        self._connection.close()


class HoldWriteLock(_File):
    """Another program keeps a write transaction open for longer than the leases last."""

    kind = "write lock held"
    longest = 4.0
    outage = costs_leases = True

    def start(self) -> bool:
        self.connect()
        try:
            with WriterGate(self.path) as entrance:
                entrance.pass_within(2)
                self._connection.execute("BEGIN IMMEDIATE")
        except (WriterGateBusy, sqlite3.OperationalError):
            return False
        return True


class HoldWriteLockBriefly(HoldWriteLock):
    """Another program keeps a write transaction open for less than the tolerated outage."""

    kind = "write lock held briefly"
    longest = 0.5
    costs_leases = False


class LongRead(_File):
    """A reader keeps its snapshot of the file, so that the write-ahead log grows."""

    kind = "long read"
    longest = 8.0


class FillDisk(_File):
    """The disk is full, and a reader keeps the write-ahead log from being reused."""

    kind = "disk full"
    longest = 4.0
    outage = costs_leases = True

    @classmethod
    def possible(cls, scene: Scene) -> bool:
        return isinstance(scene.site, SqliteSite) and scene.site.mounted

    def start(self) -> bool:
        assert isinstance(self.scene.site, SqliteSite)
        self._filler = self.scene.site.place / "filler"
        super().start()
        with contextlib.suppress(OSError), self._filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * size)
            os.fsync(file.fileno())
        self.since = boottime()
        return self._is_felt(self.since + _TO_BE_FELT)

    def stop(self) -> None:
        self._filler.unlink(missing_ok=True)
        super().stop()

    def _is_felt(self, until: float) -> bool:
        """Use up the room left in the log, and return whether a write failed."""
        with closing(sqlite3.connect(self.path, timeout=1, isolation_level=None)) as connection:
            while boottime() < until:
                try:
                    # A new value each time: writing what is there already writes nothing.
                    connection.execute("UPDATE ballast SET writes = writes + 1")
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                        return True
        return False
