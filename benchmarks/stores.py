"""The databases: a template with the work in it, and a fresh copy for each trial, gone afterwards."""

import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol

from sqlalchemy.engine import make_url

from tests.support.databases import Server, fresh_database
from tests.support.postgres import query

from .errors import BenchmarkError

_QUIET_LIMIT = 10.0
_SYNCHRONOUS = {0: "off", 1: "normal", 2: "full", 3: "extra"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the figures depend on."""

    database: str
    version: str
    durable: bool
    """A commit is on the disk before it is answered."""
    settings: Mapping[str, str]


class Store(Protocol):
    """A place for databases of one kind; a URL that it yields is good until the block ends."""

    @property
    def facts(self) -> Facts: ...

    def empty(self) -> AbstractContextManager[str]:
        """Make a database without tables."""
        ...

    def copy(self, template: str) -> AbstractContextManager[str]:
        """Make a database like the one at this URL, which nobody may be using."""
        ...

    def settle(self, url: str) -> None:
        """Bring a database that was just filled into the state that it has after a while."""
        ...

    def deadlocks(self, url: str) -> int | None:
        """Return how many it had, once nobody is connected any more; None where there can be none."""
        ...


class PostgresqlStore:
    """Databases on one server, made and dropped by the user of its URL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._server = Server(url, "")
        names = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers")
        settings = {name: str(self._ask(f"SHOW {name}")) for name in names}
        durable = settings["fsync"] == "on" and settings["synchronous_commit"] != "off"
        self.facts = Facts("postgresql", str(self._ask("SHOW server_version")).partition(" ")[0], durable, settings)

    def empty(self) -> AbstractContextManager[str]:
        return fresh_database(self._server)

    def copy(self, template: str) -> AbstractContextManager[str]:
        return fresh_database(self._server, make_url(template).database)

    def settle(self, url: str) -> None:
        query(url, "VACUUM (ANALYZE)")

    def deadlocks(self, url: str) -> int | None:
        # A connection writes its numbers down when it ends.
        name = make_url(url).database
        connected = (
            f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND backend_type = 'client backend'"
        )
        deadline = time.monotonic() + _QUIET_LIMIT
        while self._ask(connected):
            if time.monotonic() > deadline:
                raise BenchmarkError("connections to a database that should be idle are still open")
            time.sleep(0.02)
        return int(str(self._ask(f"SELECT deadlocks FROM pg_stat_database WHERE datname = '{name}'")))

    def _ask(self, sql: str) -> object:
        return query(self._server.url, sql)[0][0]


class SqliteStore:
    """Files in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)
        with closing(sqlite3.connect(folder / "facts.db")) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
        settings = {"journal_mode": str(mode), "synchronous": _SYNCHRONOUS[synchronous]}
        self.facts = Facts("sqlite", sqlite3.sqlite_version, synchronous >= 2, settings)

    @contextmanager
    def empty(self) -> Iterator[str]:
        path = self._folder / f"{next(self._numbers)}.db"
        try:
            yield f"sqlite:///{path}"
        finally:
            for file in self._folder.glob(f"{path.name}*"):
                file.unlink()

    @contextmanager
    def copy(self, template: str) -> Iterator[str]:
        with self.empty() as url:
            shutil.copy(_path(template), _path(url))
            yield url

    def settle(self, url: str) -> None:
        with closing(sqlite3.connect(_path(url))) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def deadlocks(self, url: str) -> int | None:
        del url  # one writer at a time, from the beginning of its transaction
        return None


def _path(url: str) -> str:
    return str(make_url(url).database)
