"""Our own connections to files of SQLite, which know when they are open at a fork.

They stand apart from `forks`, since a program on PostgreSQL does not load SQLite.
"""

import ctypes
import os
import sqlite3
from typing import Any
from weakref import WeakSet

from .forks import mark_this_process, refuse_after_fork


class FileConnection(sqlite3.Connection):
    """A connection to a file. In a forked process, what it inherits of its parent's is never closed: to close
    one may wait for a thread that the fork has left behind, or write to the parent's file.
    """

    is_inherited = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        refuse_after_fork()
        _open.add(self)
        try:
            super().__init__(*arguments, **named)
        except BaseException:
            _open.discard(self)
            raise

    def close(self) -> None:
        if not self.is_inherited:
            super().close()
            _open.discard(self)

    def rollback(self) -> None:
        if not self.is_inherited:
            super().rollback()


_open: WeakSet[FileConnection] = WeakSet()


def _leave_to_the_parent() -> None:
    for connection in list(_open):
        mark_this_process()
        connection.is_inherited = True
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))  # or the interpreter would close it at its end


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)
