"""Counting what a process asks of its databases through SQLAlchemy, as the daemon does, and what it
commits to SQLite, whichever connection it goes over. The single statements that the lock library
sends to PostgreSQL by itself (renewals above all) are not among them.
"""

import sqlite3
import threading
from typing import Any

from sqlalchemy import Connection, Engine, event

_FRAME = ("BEGIN", "COMMIT", "ROLLBACK")


class Counter:
    """Statements and commits of this process, heartbeat included, since it began to listen."""

    def __init__(self) -> None:
        self.statements = 0
        self.commits = 0
        self._lock = threading.Lock()  # SQLite's units run on threads
        event.listen(Engine, "before_cursor_execute", self._executed)
        event.listen(Engine, "commit", self._committed)
        event.listen(Engine, "connect", self._connected)

    def _executed(self, _connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        with self._lock:
            self.statements += not statement.startswith(_FRAME)
            self.commits += statement == "COMMIT"  # PostgreSQL's transactions of ours end so

    def _connected(self, connection: Any, _record: Any) -> None:
        if isinstance(connection, sqlite3.Connection):  # its transactions end below SQLAlchemy
            connection.set_trace_callback(self._traced)

    def _traced(self, statement: str) -> None:
        with self._lock:
            self.commits += statement == "COMMIT"

    def _committed(self, _connection: Connection) -> None:
        with self._lock:
            self.commits += 1
