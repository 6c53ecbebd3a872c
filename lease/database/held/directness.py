"""The first question over a connection: who answers, and from which database.

A connection leads to the server itself if the process that answers is the one that was named when the connection was
made. A pooler names something else.
"""

from typing import Any, LiteralString

import psycopg

from .identity import IDENTITY, OF_A_DATABASE

WHO_ANSWERS: LiteralString = "SELECT pg_backend_pid(), current_setting('default_transaction_isolation')"
"""Asks who answers, and at which isolation level a statement runs; with ``prepare=False``."""
_AND_WHERE: LiteralString = f"{WHO_ANSWERS}, {IDENTITY}"
_AND_WHERE_NEARLY: LiteralString = f"{WHO_ANSWERS}, {OF_A_DATABASE}"
Answer = tuple[int, str, str | None]
"""The process, the isolation level, and the database's identity (`lease.database.held.identity`)."""
_NOTHING: Answer = (0, "", None)


def ask(driver: "psycopg.Connection[Any]") -> Answer:
    """Ask `WHO_ANSWERS`, and which database it is, over a connection in autocommit."""
    try:
        return driver.execute(_AND_WHERE, prepare=False).fetchone() or _NOTHING
    except psycopg.DatabaseError:  # this role, or all there, may not ask for the server
        if driver.closed:
            raise
        return driver.execute(_AND_WHERE_NEARLY, prepare=False).fetchone() or _NOTHING


async def ask_in_loop(driver: "psycopg.AsyncConnection[Any]") -> Answer:
    """Ask the same from an event loop."""
    try:
        return await (await driver.execute(_AND_WHERE, prepare=False)).fetchone() or _NOTHING
    except psycopg.DatabaseError:  # this role, or all there, may not ask for the server
        if driver.closed:
            raise
        return await (await driver.execute(_AND_WHERE_NEARLY, prepare=False)).fetchone() or _NOTHING


def is_direct(driver: "psycopg.Connection[Any] | psycopg.AsyncConnection[Any]", pid: int) -> bool:
    """Return whether the process that answered is the one that the connection was made to."""
    return pid == driver.info.backend_pid
