"""A template as the replica sees it: it forks keepers, and says how they ended."""

import asyncio
import contextlib
import math
import os
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic

from ..processes.descriptors import limit_of_children
from ..processes.identity import identity, is_alive
from ..processes.spawn import TemplateGone
from ..processes.trust_page import TrustPage
from .forks import KeeperBrief

PATIENCE = 1.0
"""Seconds that a template has to answer."""
LOADING = 2.0
"""Seconds from its start for which children wait for a template: as long as they may take to start anew."""
_LOOK_EVERY = 0.005

Launch = Callable[[int, int], tuple[Sequence[str | Path], Mapping[str, str]]]
"""Returns the command of a template and its environment, for the descriptor of its requests and our process id."""


class Template:
    """One template process; raises OSError if it can't be started. To be used by one thread."""

    def __init__(self, launch: Launch, folder: str | None = None) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            command, environment = launch(theirs.fileno(), os.getpid())
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=folder,
                env=environment,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except BaseException:
            self._requests.close()
            raise
        finally:
            theirs.close()
        self._requests.setblocking(False)
        self._waited_until = monotonic() + LOADING
        self._forked: int | OSError | None = None
        self._asked: dict[int, float] = {}
        self._statuses: dict[int, int] = {}
        self.was_ready = False
        self.has_ended = False
        self.unfit: str | None = None
        """Why it can't be forked from, as it said itself."""

    @property
    def pid(self) -> int:
        return self._process.pid

    async def is_ready(self) -> bool:
        """Return whether it can fork; wait for it, but no longer than children would take to start anew."""
        self.hear()
        while not self.was_ready and not self.has_ended and monotonic() < self._waited_until:
            await asyncio.sleep(_LOOK_EVERY)
            self.hear()
        return self.was_ready and not self.has_ended

    def start(
        self, env: Mapping[str, str], trust: TrustPage, *, control: int, printed: int, report: int, remove: str
    ) -> "ForkedKeeper":
        """Return a new keeper, which has these descriptors; `start_keeper` says what for.

        Raises TemplateGone, after which it has ended; or OSError or ValueError as a start anew does.
        """
        environment = {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
        brief = KeeperBrief((trust.place, trust.number), limit_of_children(), remove, environment).written()
        try:
            descriptors = [brief, control, trust.fd, printed, *([report] if report >= 0 else [])]
            self._forked = None
            with contextlib.suppress(OSError):  # it is found out below
                socket.send_fds(self._requests, [b"fork"], descriptors)
        finally:
            os.close(brief)
        forked = self._answer()
        if isinstance(forked, OSError):
            raise forked
        return ForkedKeeper(self, forked)

    def _answer(self) -> int | OSError:
        deadline, poll = monotonic() + PATIENCE, select.poll()
        poll.register(self._requests, select.POLLIN)
        while self._forked is None and not self.has_ended and (left := deadline - monotonic()) > 0:
            poll.poll(left * 1000)
            self.hear()
        if self._forked is None:
            self.close()
            raise TemplateGone("the template does not answer")
        return self._forked

    def reap(self, pid: int) -> int | None:
        """Return how a keeper has ended that it forked: its exit status, or minus a signal; None as
        long as it is not known. Its process id stays its own until then.
        """
        if pid not in self._asked and not self.has_ended:
            self._asked[pid] = monotonic()
            with contextlib.suppress(OSError):
                self._requests.send(f"reap {pid}".encode())
        self.hear()
        if monotonic() > self._asked.get(pid, math.inf) + PATIENCE:
            self.close()
        return self._statuses.pop(pid, None)

    def hear(self) -> None:
        """Take what it has said so far."""
        while not self.has_ended:
            try:
                said = self._requests.recv(4096).decode()
            except BlockingIOError:
                return
            except OSError:
                said = ""
            word, _, rest = said.partition(" ")
            match word:
                case "ready":
                    self.was_ready = True
                case "unfit":
                    self.unfit = rest
                case "forked":
                    self._forked = int(rest)
                case "failed":
                    self._forked = OSError(int(rest), os.strerror(int(rest)))
                case "ended":
                    pid, status = map(int, rest.split())
                    self._asked.pop(pid, None)
                    self._statuses[pid] = status
                case "alive":
                    self._asked.pop(int(rest), None)
                case _:  # it has ended
                    self.close()

    def close(self) -> None:
        """End it; what it has forked goes on."""
        if not self.has_ended:
            self.has_ended = True
            self._requests.close()
            self._process.kill()
            self._process.wait()


class ForkedKeeper:
    """A keeper that a template forked, as `subprocess.Popen` shows one that was started."""

    def __init__(self, template: Template, pid: int) -> None:
        self._template = template
        self._identity = identity(pid)
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit status, or minus the signal that ended it; None as long as it runs."""
        if self.returncode is None:
            self.returncode = self._template.reap(self.pid)
        if self.returncode is None and self._template.has_ended:
            with contextlib.suppress(ChildProcessError):
                # It is ours now where this is the first process of a container.
                os.waitpid(self.pid, os.WNOHANG)
            if not self._lives():
                self.returncode = -signal.SIGKILL  # nobody knows
        return self.returncode

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.returncode is None and (not self._template.has_ended or self._lives()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _lives(self) -> bool:
        return self._identity is not None and is_alive(self._identity) is not False
