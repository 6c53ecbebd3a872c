"""The question whether a connection leads to the server itself: then the process that answers is the one that
was named when the connection was made. A pooler names something else.
"""

from typing import Any, LiteralString

import psycopg

WHO_ANSWERS: LiteralString = "SELECT pg_backend_pid(), current_setting('default_transaction_isolation')"
"""Asks who answers, and at which isolation level a statement runs; with ``prepare=False``."""


def is_direct(driver: "psycopg.Connection[Any] | psycopg.AsyncConnection[Any]", pid: int) -> bool:
    """Return whether the process that answered is the one that the connection was made to."""
    return pid == driver.info.backend_pid
