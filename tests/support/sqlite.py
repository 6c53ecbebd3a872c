"""Whether a SQLite file can be written to just now."""

import sqlite3
from contextlib import closing

from lease.database.turnstile import Turnstile, TurnstileBusy


def can_write(path: str) -> bool:
    """Nobody is in the middle of a write, or ends it within a moment: a process that was stopped in one would hold up all."""
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
