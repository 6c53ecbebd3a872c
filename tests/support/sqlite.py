"""A check of whether a SQLite file can be written now."""

import sqlite3
from contextlib import closing

from lease.database.turnstile import Turnstile, TurnstileBusy


def can_write(path: str) -> bool:
    """Return whether the file can be written: a process stopped in a write blocks all others."""
    with (
        closing(sqlite3.connect(path, timeout=0.3, isolation_level=None)) as connection,
        Turnstile(path) as entrance,
    ):
        try:
            entrance.pass_within(0.3)
            connection.execute("BEGIN IMMEDIATE")
        except (TurnstileBusy, sqlite3.OperationalError):
            return False
    return True
