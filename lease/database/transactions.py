"""A transaction that writes, on a sync connection of our own; where there is one writer at a time, it waits for its turn."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from .backend import backend_of
from .turnstile import Turnstile


@contextmanager
def write_transaction(connection: Connection, patience: float) -> Iterator[None]:
    """Begin a transaction, and commit it after the block, or roll it back if that raises.

    Waits for its turn at most ``patience`` seconds; `TurnstileBusy` says that this took longer.
    """
    file = backend_of(connection).file(connection.engine.url)
    if file is None:
        with connection.begin():
            yield
        return
    with Turnstile(file) as entrance:
        entrance.pass_within(patience)
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        yield
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise


def use_wal(driver: Any, file: str, patience: float) -> None:
    """Turn a file of SQLite to WAL, where readers and the writer do not hold each other up."""
    cursor = driver.cursor()
    if cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        # Two that do it to a new file at once can collide without waiting.
        with Turnstile(file) as entrance:
            entrance.pass_within(patience)
            cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()


def _roll_back(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    if driver is not None and driver.in_transaction:
        driver.rollback()
