"""The drivers whose connections can be asked whether they are in a transaction."""

from collections.abc import Callable
from typing import Any

from ..errors import LeaseError

IN_TRANSACTION = (2, 3)
"""libpq's PQTRANS_INTRANS and PQTRANS_INERROR."""


def _by_libpq(connection: Any) -> bool:
    return connection.info.transaction_status in IN_TRANSACTION


def _by_protocol(connection: Any) -> bool:
    return bool(connection.is_in_transaction())


def _by_sqlite(connection: Any) -> bool:
    return bool(connection.in_transaction)


QUESTIONS: dict[str, Callable[[Any], bool]] = {
    "psycopg.Connection": _by_libpq,
    "psycopg.AsyncConnection": _by_libpq,
    "psycopg2.extensions.connection": _by_libpq,
    "asyncpg.connection.Connection": _by_protocol,
    "sqlite3.Connection": _by_sqlite,
    "aiosqlite.core.Connection": _by_sqlite,
}
"""By class: what says whether a connection is in a transaction, once a statement has been sent."""


def question_of(driver: Any) -> Callable[[Any], bool]:
    """Return what says whether a driver's connection is in a transaction; `LeaseError` for a driver
    that cannot be asked.
    """
    for name in names_of(driver):
        if name in QUESTIONS:
            return QUESTIONS[name]
    raise LeaseError(
        f"fence cannot tell whether a connection of {type(driver).__module__} is in a transaction: "
        "use psycopg, psycopg2 or asyncpg, and on SQLite sqlite3 or aiosqlite"
    )


def names_of(connection: Any) -> list[str]:
    """Return the names of a connection's class and its bases.

    Drivers and frameworks are told apart by name, so that none is loaded that a program does not
    use.
    """
    return [f"{one.__module__}.{one.__qualname__}" for one in type(connection).__mro__]


def is_in_transaction(connection: Any) -> bool:
    """Return whether a program's connection, of any kind that a fence takes, has a transaction
    open.
    """
    if hasattr(connection, "registry"):  # SQLAlchemy's scoped kinds
        return bool(connection.registry.has() and connection().in_transaction())
    if hasattr(connection, "in_atomic_block"):  # Django
        return bool(connection.in_atomic_block)
    if hasattr(connection, "in_transaction"):  # SQLAlchemy
        return bool(connection.in_transaction())
    return question_of(connection)(connection)
