"""The database of a campaign, and its URLs: for each replica, the jobs and the campaign."""

import shutil
import sqlite3
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import ClassVar, Self

import psycopg
from sqlalchemy import make_url

from daemon.store import migrations
from tests.support.binaries import Binaries, binaries
from tests.support.pair import Pair
from tests.support.postgres import PostgresServer, plain
from tests.support.proxy import Proxy

from .pooler import Pooler, pooler_program

WITNESS = Path(__file__).with_name("witness")
CONFIG = ("track_commit_timestamp = on",)
"""Commit timestamps tell which of two transactions was first."""
JOBS, OWN = "jobs", "campaign"
ELSEWHERE = "elsewhere"
MOVE_AWAY = "UPDATE replica SET pid_namespace = 'pid:[1]' WHERE pid = {} AND state = 'running'"
SIZE = "128m"
WORDS = {"postgres": "PostgreSQL", "sqlite": "SQLite"}


class Site(ABC):
    """The database of a campaign; entering the block creates it."""

    kind: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """A folder for the campaign's files, apart from the database's."""
        self.environment: Mapping[str, str] = {}
        """What the application is given besides."""
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._begin(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @abstractmethod
    def _begin(self, stack: ExitStack) -> None:
        """Create it; the stack has what ends it."""

    @abstractmethod
    def address(self, slot: str) -> str:
        """Return the URL for a replica, or for a user of locks."""

    @property
    @abstractmethod
    def jobs_address(self) -> str:
        """Return the URL for jobs, which the faults of a replica's network do not affect."""

    @property
    @abstractmethod
    def url(self) -> str:
        """The campaign's own URL, for reading and checking; on PostgreSQL it leads to the current primary."""

    @property
    @abstractmethod
    def elsewhere(self) -> str:
        """The URL of another database, in which no replica may ever start."""

    @abstractmethod
    def move_away(self, pid: int) -> bool:
        """Move a replica's entry to another pid namespace, where its death cannot be proven."""


class PostgresSite(Site):
    """A PostgreSQL server with a synchronous standby, behind proxies that can be cut."""

    kind = "postgres"

    def __init__(self, slots: Sequence[str], folder: Path) -> None:
        super().__init__(folder)
        self._slots = slots
        self.pooler: Pooler | None = None

    def _begin(self, stack: ExitStack) -> None:
        programs = binaries("18")
        stack.callback(programs.remove)
        self.pair = stack.enter_context(self._pair(programs))
        self.proxies = {name: stack.enter_context(Proxy(self.server.port)) for name in (*self._slots, JOBS, OWN)}
        migrations.upgrade(self.server.url())
        self.server.psql(f"CREATE DATABASE {ELSEWHERE}")
        migrations.upgrade(self.elsewhere)
        with psycopg.connect(plain(self.server.url())) as connection:
            connection.execute((WITNESS / "postgres.sql").read_bytes())
        if pooler_program() is not None:
            # The last replica comes through PgBouncer in transaction mode.
            self.pooler = stack.enter_context(Pooler(self.proxies[self._slots[-1]].port))

    def _pair(self, programs: Binaries) -> Pair:
        return Pair(programs, config=CONFIG)

    @property
    def server(self) -> PostgresServer:
        """The current primary."""
        return self.pair.primary

    def fail_over(self) -> None:
        """Fail over to the standby, and give it a standby of its own."""
        self.pair.fail_over()
        for proxy in self.proxies.values():
            proxy.lead_to(self.server.port)

    def address(self, slot: str) -> str:
        if self.pooler is not None and slot == self._slots[-1]:
            return self._through(self.pooler.port)
        return self._through(self.proxies[slot].port)

    @property
    def jobs_address(self) -> str:
        return self._through(self.proxies[JOBS].port)

    @property
    def url(self) -> str:
        return self._through(self.proxies[OWN].port)

    @property
    def elsewhere(self) -> str:
        return make_url(self.url).set(database=ELSEWHERE).render_as_string(hide_password=False)

    def move_away(self, pid: int) -> bool:
        try:
            moved = self.server.psql(f"{MOVE_AWAY.format(int(pid))} RETURNING 1")
        except psycopg.Error:
            return False
        return len(moved) > 0

    def _through(self, port: int) -> str:
        return self.server.url().replace(f":{self.server.port}/", f":{port}/")


class SqliteSite(Site):
    """A SQLite file, in a small file system of its own (to be filled up) if one can be mounted."""

    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.place = Path()
        self.mounted = False

    def _begin(self, stack: ExitStack) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="leased-chaos-"))
        stack.callback(shutil.rmtree, self.place)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(self.place)]
        self.mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
        if self.mounted:
            stack.callback(subprocess.run, ["umount", "--lazy", str(self.place)], check=True)
        migrations.upgrade(self.url)
        migrations.upgrade(self.elsewhere)
        with closing(sqlite3.connect(self.path)) as connection:
            connection.executescript((WITNESS / "sqlite.sql").read_text())

    @property
    def path(self) -> str:
        """The file."""
        return str(self.place / "leased.db")

    def address(self, slot: str) -> str:
        del slot
        return self.url

    @property
    def jobs_address(self) -> str:
        return self.url

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    @property
    def elsewhere(self) -> str:
        return f"sqlite:///{self.place / ELSEWHERE}.db"

    def move_away(self, pid: int) -> bool:
        try:
            with closing(sqlite3.connect(self.path, timeout=1, isolation_level=None)) as connection:
                return connection.execute(MOVE_AWAY.format(int(pid))).rowcount > 0
        except sqlite3.OperationalError:
            return False
