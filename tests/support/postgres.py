"""A PostgreSQL server of a test, which starts, stops, restarts, pauses and kills it."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import psycopg

from .binaries import Binaries, readable_temporary_folder, server_user
from .datafolder import PASSWORD, USER, copy_data_folder, make_data_folder, server_environment, server_settings
from .guardian import Guardian
from .waiting import LIMIT

Mode = Literal["smart", "fast", "immediate"]
STOP_SIGNALS: dict[Mode, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}


class PostgresServer:
    """A server of its own, with its own data folder, port and uid, on the loopback interface only.

    `fsync` is off unless `durable`: the data survives a crash of the server, but not of the
    machine. `config` takes lines of postgresql.conf. With `standby_of` it is a standby of that
    server until it is promoted. Those that are not `like_no_other` have one system identifier.
    """

    def __init__(
        self,
        binaries: Binaries,
        *,
        config: Sequence[str] = (),
        durable: bool = False,
        standby_of: "PostgresServer | None" = None,
        like_no_other: bool = False,
    ) -> None:
        self.binaries = binaries
        self.port = free_port()
        self.folder = readable_temporary_folder("leased-postgres-")
        self._uid = server_user()
        self._process: subprocess.Popen[bytes] | None = None
        self._guardian = Guardian(self.folder)
        try:
            settings = [*server_settings(self.port, durable=durable), *config]
            if standby_of is None:
                make_data_folder(binaries, self.folder, self._uid, settings, like_no_other=like_no_other)
            else:
                copy_data_folder(binaries, self.folder, self._uid, standby_of.port, settings)
        except BaseException:
            self.remove()
            raise

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The pid of the postmaster."""
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def psql(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement in autocommit as the superuser, and return its rows."""
        return query(self.url(database), sql)

    def start(self) -> None:
        """Start the server, and return once it accepts connections."""
        deadline = time.monotonic() + LIMIT
        while True:
            self._launch()
            while self.running and not self._ready():
                self._check(deadline)
                time.sleep(0.01)
            if self.running:
                return
            if "pre-existing shared memory" not in self.log_tail(1_000):  # of the one before, others may still tell
                raise RuntimeError(f"PostgreSQL did not start: {self.log_tail()}")
            self._check(deadline)

    def stop(self, mode: Mode = "fast") -> None:
        if self._process is None:
            return
        if self.running:
            self._process.send_signal(STOP_SIGNALS[mode])
        self._process.wait(LIMIT)
        self._process = None

    def restart(self, mode: Mode = "fast") -> None:
        self.stop(mode)
        self.start()

    def kill9(self) -> None:
        """Kill the postmaster, at which its children exit; `start` recovers from the log."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def pause(self) -> None:
        """SIGSTOP the postmaster and its children: connections stay open but silent (Linux)."""
        for pid in (self.pid, *children_of(self.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        for pid in (*children_of(self.pid), self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def remove(self) -> None:
        """Stop at once and leave nothing behind: no process, no folder."""
        if self.running:
            self.resume()
        try:
            self.stop("immediate")
            (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        finally:
            self._guardian.end()

    def log_tail(self, lines: int = 8) -> str:
        log = self.folder / "log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"

    def more_environment(self) -> dict[str, str]:
        """Return what its processes are given besides the usual variables."""
        return {}

    def _launch(self) -> None:
        self.stop()
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(self.binaries.folder / "postgres"), "-D", str(self.folder / "data")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**server_environment(self.folder), **self.more_environment()},
                start_new_session=True,
                user=self._uid,
                group=self._uid,
                extra_groups=None if self._uid is None else [],
            )

    def _ready(self) -> bool:
        try:
            lines = (self.folder / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _check(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"PostgreSQL did not start within {LIMIT:g} s: {self.log_tail()}")


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Run a statement in autocommit on a connection of its own, and return its rows."""
    with psycopg.connect(plain(url), autocommit=True, connect_timeout=int(LIMIT)) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def plain(url: str) -> str:
    """Return the URL in the form that psycopg takes."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def free_port() -> int:
    """Return a port below those of outgoing connections: it stays free while the server is down."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def children_of(parent: int) -> list[int]:
    """Return the living children of a process (Linux)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # after the name, which stands in brackets and may hold anything: state, parent, …
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return found
