"""What is watched while a history is pruned: who waits for a lock, and how large the tables are."""

from collections import Counter
from threading import Event, Thread
from typing import Self

import psycopg
from sqlalchemy import Engine

from tests.support.postgres import plain

TABLES = ("run", "job_run")
EVERY = 0.02
"""Seconds between two looks at who waits."""
_WAITING = """
    SELECT waits.application_name = 'pruner' OR has.application_name = 'pruner', waits.wait_event, waits.query
    FROM pg_stat_activity AS waits
    LEFT JOIN LATERAL unnest(pg_blocking_pids(waits.pid)) AS holder ON true
    LEFT JOIN pg_stat_activity AS has ON has.pid = holder
    WHERE waits.datname = current_database() AND waits.wait_event_type = 'Lock'
"""


class LockWaits:
    """Notes during a block which statements of a PostgreSQL wait for a lock of another; nothing on SQLite."""

    def __init__(self, engine: Engine) -> None:
        self.of_pruner = Counter[str]()
        """Looks at which the pruner waited, or somebody waited for it, by what for and with which statement."""
        self.of_others = Counter[str]()
        self.looks = 0
        is_postgresql = engine.dialect.name == "postgresql"
        self._url = plain(engine.url.render_as_string(hide_password=False)) if is_postgresql else None
        self._ended = Event()
        self._thread = Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def __str__(self) -> str:
        of_pruner, of_others = self.of_pruner.total(), self.of_others.total()
        return (
            f"{self.looks:,} looks at who waits for a lock: {of_pruner} on account of pruning, {of_others} for others"
        )

    def _watch(self) -> None:
        if self._url is None:
            return
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._ended.wait(EVERY):
                self.looks += 1
                for is_of_pruner, event, query in connection.execute(_WAITING):
                    (self.of_pruner if is_of_pruner else self.of_others)[f"{event}: {query[:120]}"] += 1


def sizes(engine: Engine) -> dict[str, int]:
    """Return the bytes of each table and of its indexes; on SQLite of the file."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            parts = {"": "pg_relation_size", " (indexes)": "pg_indexes_size"}
            return {
                table + of: int(connection.exec_driver_sql(f"SELECT {size}('{table}')").scalar_one())
                for table in TABLES
                for of, size in parts.items()
            }
        pages, size = (connection.exec_driver_sql(f"PRAGMA {one}").scalar_one() for one in ("page_count", "page_size"))
        return {"file": int(pages) * int(size)}
