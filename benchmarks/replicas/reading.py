"""Reading what replicas have written."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Executable, Table, create_engine, exists, func, insert, select
from sqlalchemy.sql.dml import Update

from daemon.operations.trigger import trigger
from daemon.store.tables import replica, run
from lease.database.dialects import now

from ..errors import BenchmarkError

LIMIT = 300.0
"""Seconds after which what is waited for counts as never coming."""
_LOOK = 0.01
_UNFINISHED = ("pending", "running")


class Reader:
    """A connection of the benchmark's own to the database that replicas work on."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def rows(self, query: Executable) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]

    def change(self, update: Update) -> int:
        """Write, and return how many rows that changed."""
        with self.engine.begin() as connection:
            return connection.execute(update).rowcount

    def write(self, unit: Callable[[Connection], object]) -> float:
        """Write in one transaction, and return when its commit was asked for, by this machine's clock."""
        with self.engine.connect() as connection:
            unit(connection)
            asked = time.time()
            connection.commit()
        return asked

    def add(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows."""
        with self.engine.begin() as connection:
            connection.execute(insert(table), rows)

    def now(self) -> datetime:
        """Return the database's time."""
        with self.engine.connect() as connection:
            return connection.scalars(select(now())).one()

    def trigger(self, application: str, name: str) -> int:
        """Trigger a run and return its id."""
        with self.engine.begin() as connection:
            return trigger(connection, application, name, requested_by="benchmark")

    def wait(self, condition: Callable[[], bool], what: str, *, look: float = _LOOK, limit: float = LIMIT) -> None:
        """Wait until the condition is true. Raises `BenchmarkError` when it never is."""
        deadline = time.monotonic() + limit
        while not condition():
            if time.monotonic() > deadline:
                raise BenchmarkError(f"within {limit:g} seconds it did not come true that {what}")
            time.sleep(look)

    def ready(self, replicas: int = 1) -> bool:
        """Return whether at least so many replicas are ready."""
        query = select(func.count()).where(replica.c.ready_at.is_not(None), replica.c.state == "running")
        return bool(self.rows(query)[0][0] >= replicas)

    def wait_for_ends(self, *, look: float = 0.05) -> None:
        """Wait until no run is pending or running."""
        unfinished = select(exists().where(run.c.state.in_(_UNFINISHED)))
        self.wait(lambda: not self.rows(unfinished)[0][0], "all runs have ended", look=look)

    def wait_for_success(self, run_id: int) -> None:
        """Wait until this run has succeeded. Raises `BenchmarkError` when it ends otherwise."""
        state = select(run.c.state).where(run.c.id == run_id)
        self.wait(lambda: self.rows(state)[0][0] not in _UNFINISHED, f"run {run_id} has ended")
        if (ended := self.rows(state)[0][0]) != "succeeded":
            raise BenchmarkError(f"run {run_id} should have succeeded, and is {ended}")


@contextmanager
def reading(url: str) -> Iterator[Reader]:
    """Read a database during the block."""
    engine = create_engine(url)
    try:
        yield Reader(engine)
    finally:
        engine.dispose()
