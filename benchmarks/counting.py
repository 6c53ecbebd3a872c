"""Counting what a process asks of its databases, and what it commits, whichever connection it goes over: at the drivers,
as the library sends statements past SQLAlchemy.
"""

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

_FRAME = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA", "--")


class Counter:
    """Statements and commits of this process, heartbeat included, since it began to listen."""

    def __init__(self, *, on_sqlite_alone: bool = False) -> None:
        self.statements = 0
        self.commits = 0
        self._latest = ""
        self._lock = threading.Lock()  # SQLite's units run on threads
        event.listen(Engine, "connect", self._connected)
        if on_sqlite_alone:
            return
        import psycopg  # noqa: PLC0415 - a replica on SQLite, whose memory may be measured, loads no driver of PostgreSQL

        psycopg.AsyncCursor.execute = self._counted(psycopg.AsyncCursor.execute)  # type: ignore[method-assign]

    def _counted(self, execute: Callable[..., Any]) -> Any:
        def counted(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            self._sent(query.decode() if isinstance(query, bytes) else str(query))
            return execute(cursor, query, *args, **kwargs)

        return counted

    def _connected(self, connection: Any, _record: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.set_trace_callback(self._traced)

    def _traced(self, statement: str) -> None:
        """Count a statement of SQLite, which tells of one anew for each row whose references it checks."""
        if statement != self._latest:
            self._sent(statement)
        self._latest = statement

    def _sent(self, statement: str) -> None:
        with self._lock:
            self.statements += not statement.startswith(_FRAME)
            self.commits += statement == "COMMIT"
