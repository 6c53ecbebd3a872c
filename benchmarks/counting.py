"""Counting what a process asks of its databases, whichever connection it goes over."""

import threading
from typing import Any

from sqlalchemy import Connection, Engine, event

_FRAME = frozenset({"BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"})


class Counter:
    """Statements and commits of this process, heartbeat included, since it began to listen."""

    def __init__(self) -> None:
        self.statements = 0
        self.commits = 0
        self._lock = threading.Lock()  # SQLite's units run on threads
        event.listen(Engine, "before_cursor_execute", self._executed)
        event.listen(Engine, "commit", self._committed)

    def _executed(self, _connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        with self._lock:
            if statement not in _FRAME:
                self.statements += 1
            elif statement == "COMMIT":  # on SQLite transactions are begun and ended by hand
                self.commits += 1

    def _committed(self, _connection: Connection) -> None:
        with self._lock:
            self.commits += 1
