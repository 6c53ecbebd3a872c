"""The first question over a connection: who answers, and from which database.

A connection leads to the server itself if the process that answers is the one that was named when the connection was
made. A pooler names something else.
"""

from typing import Any, LiteralString

import psycopg

from .identity import IDENTITY, OF_A_DATABASE

WHO_ANSWERS: LiteralString = "SELECT pg_backend_pid(), current_setting('default_transaction_isolation')"
"""Asks who answers, and at which isolation level a statement runs; with ``prepare=False``."""
QUESTIONS: tuple[LiteralString, LiteralString] = (f"{WHO_ANSWERS}, {IDENTITY}", f"{WHO_ANSWERS}, {OF_A_DATABASE}")
"""Ask it, and which database it is; the second one where this role, or all there, may not ask for the server."""
Answer = tuple[int, str, str | None]
"""The process, the isolation level, and the database's identity (`lease.database.held.identity`)."""
_NOTHING: Answer = (0, "", None)


async def ask_in_loop(driver: "psycopg.AsyncConnection[Any]") -> Answer:
    """Ask that over a connection in autocommit."""
    try:
        return await (await driver.execute(QUESTIONS[0], prepare=False)).fetchone() or _NOTHING
    except psycopg.DatabaseError:
        if driver.closed:
            raise
        return await (await driver.execute(QUESTIONS[1], prepare=False)).fetchone() or _NOTHING


def is_direct(driver: "psycopg.AsyncConnection[Any]", pid: int) -> bool:
    """Return whether the process that answered is the one that the connection was made to."""
    return pid == driver.info.backend_pid
