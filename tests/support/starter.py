"""The starter of `leased` processes: forks of a process that has already imported everything.

Importing takes a second of work for each new process, several times in each story. Here a server,
`python -m tests.support.starter`, forks on request and reports how its children ended; requests and
answers are lines of JSON.
"""

import ctypes
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PR_SET_PDEATHSIG = 1


class Started:
    """A process that the server forked, with a session and process group of its own."""

    def __init__(self, starter: "Starter", pid: int) -> None:
        self._starter = starter
        self.pid = pid

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._starter.status(self.pid)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal; do nothing once the process is known to have ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


class Starter:
    """The tests' side of the server, one per test session; ``root`` has the code that it imports."""

    def __init__(self, root: Path = ROOT) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.support.starter", str(theirs.fileno())],
                cwd=root,
                env={**os.environ, "PYTHONPATH": str(root)},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._heard = b""
        self._lock = threading.Lock()  # one thread at a time asks and listens
        self._statuses: dict[int, int] = {}
        self._pids: list[int] = []

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> Started:
        """Start `leased` with these arguments; its output goes to the file."""
        log.touch()
        order = {"arguments": [*arguments], "environment": {**environment}, "folder": str(folder), "log": str(log)}
        with self._lock:
            self._socket.sendall(json.dumps(order).encode() + b"\n")
            while not self._pids:
                self._listen(None)
            return Started(self, self._pids.pop())

    def status(self, pid: int) -> int | None:
        with self._lock:
            self._listen(0)
            return self._statuses.get(pid)

    def end(self) -> None:
        self._socket.close()
        self._server.wait()

    def _listen(self, timeout: float | None) -> None:
        if not select.select([self._socket], [], [], timeout)[0]:
            return
        data = self._socket.recv(65536)
        assert data, "the starter has ended"
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            match json.loads(line):
                case {"started": int() as pid}:
                    self._statuses.pop(pid, None)
                    self._pids.append(pid)
                case {"ended": int() as pid, "status": int() as status}:
                    self._statuses[pid] = status
                case other:
                    raise AssertionError(f"the starter said {other!r}")


def serve(control: socket.socket) -> Callable[[], int] | None:
    """Fork until the tests end; return, in each child, what it must do."""
    wake, woken = os.pipe()
    for descriptor in (wake, woken):
        os.set_blocking(descriptor, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    heard = b""
    while True:
        ready, _, _ = select.select([control.fileno(), wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
            tell_ends(control)
        if control.fileno() not in ready:
            continue
        data = control.recv(65536)
        if not data:
            return None
        *orders, heard = (heard + data).split(b"\n")
        for order in orders:
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for descriptor in (wake, woken):
                    os.close(descriptor)
                control.close()
                return become(json.loads(order))
            control.sendall(json.dumps({"started": pid}).encode() + b"\n")


def tell_ends(control: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        ended = {"ended": pid, "status": os.waitstatus_to_exitcode(status)}
        control.sendall(json.dumps(ended).encode() + b"\n")


def become(order: dict[str, Any]) -> Callable[[], int]:
    """Take on the requested directory, environment and output."""
    from daemon.cli import main  # noqa: PLC0415 - imported long ago, by the server

    os.setsid()
    die_with_parent()
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    for path, descriptors in (("/dev/null", (0,)), (order["log"], (1, 2))):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        for descriptor in descriptors:
            os.dup2(file, descriptor)
        os.close(file)
    return lambda: main(order["arguments"])


def die_with_parent() -> None:
    """Ask Linux to kill this process when the server ends, and so when the tests end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def import_all() -> None:
    """Import what a replica imports, so that each child has it loaded."""
    for module in (
        "anyio._backends._asyncio",
        "daemon.cli.commands.run",
        "encodings.idna",
        "lease.database.postgresql",
        "lease.database.sqlite",
        "sqlalchemy.dialects.postgresql.psycopg",
        "sqlalchemy.dialects.sqlite.pysqlite",
        "uvicorn.lifespan.off",
        "uvicorn.loops.asyncio",
        "uvicorn.loops.auto",
        "uvicorn.protocols.http.auto",
    ):
        import_module(module)
    gc.freeze()


if __name__ == "__main__":
    import_all()
    work = serve(socket.socket(fileno=int(sys.argv[1])))
    sys.exit(work() if work else 0)
