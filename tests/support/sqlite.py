"""Checks of whether a SQLite file can be written now, and of who writes it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from lease.database.writer_gate import WriterGate, WriterGateBusy

_WRITING = "120"
"""The byte of the index of the write-ahead log that its one writer locks (SQLite's "WAL-mode file format")."""


def can_write(path: str) -> bool:
    """Return whether the file can be written: a process stopped in a write blocks all others."""
    with (
        closing(sqlite3.connect(path, timeout=0.3, isolation_level=None)) as connection,
        WriterGate(path) as entrance,
    ):
        try:
            entrance.pass_within(0.3)
            connection.execute("BEGIN IMMEDIATE")
        except (WriterGateBusy, sqlite3.OperationalError):
            return False
    return True


def writer(path: str) -> int | None:
    """Return the process that has the file locked for a write transaction, if any (on Linux)."""
    try:
        index = Path(f"{path}-shm").stat().st_ino
    except FileNotFoundError:  # nobody has it open
        return None
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()  # 1: POSIX ADVISORY WRITE pid device:inode first last; with "->" one that waits
        if fields[1] == "POSIX" and fields[3] == "WRITE" and fields[6] == _WRITING and fields[5].endswith(f":{index}"):
            return int(fields[4])
    return None
