"""The templates of a replica: which of them starts a job's child, and each as the replica sees it: it forks keepers, and
says how they ended.
"""

import asyncio
import contextlib
import json
import math
import os
import select
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import monotonic

from ...definitions.application import Application
from ...definitions.schedule import Job
from ..brief import FUNCTION_CHILD, TEMPLATE_VARIABLE
from ..processes.identity import identity, is_alive
from ..processes.spawn import TemplateGone, limit_of_children
from ..processes.trust_page import TrustPage
from .forks import write_brief

BARE = Path(__file__).with_name("forks.py")
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
        brief = write_brief((trust.place, trust.number), limit_of_children(), remove, environment)
        try:
            self._forked = None
            with contextlib.suppress(OSError):  # it is found out below
                socket.send_fds(self._requests, [b"fork"], [brief, control, trust.fd, printed, report])
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
        if self.returncode is None and (not self._template.has_ended or self._lives()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def _lives(self) -> bool:
        return self._identity is not None and is_alive(self._identity) is not False


class Templates:
    """Starts the templates that the jobs of an application need; ``Templates()`` are none, so that all starts anew.

    A template that has ended is started again with the next child that needs it, unless it never was ready: FILE can't
    be forked then, or the machine has no pidfd. ``say`` gets a sentence once if it is FILE that can't. ``environment``
    is what children inherit, by default that of this process.
    """

    def __init__(
        self,
        application: Application | None = None,
        say: Callable[[str], None] = lambda _: None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.environment = environment
        self._say: Callable[[str], None] | None = say
        self._file = None if application is None else application.source.name
        schedules = () if application is None else application.schedules
        jobs = [job for schedule in schedules for job in schedule.jobs if job.isolation in {"process", "command"}]
        self._bare = self._loaded = None
        found = Counter(_surroundings(job) for job in jobs if job.function is not None).most_common(1)
        # FILE and the interpreter may read variables, and files of the folder, as they are loaded: a function with others
        # than most have is started without a template.
        self._surroundings = found[0][0] if found else None
        if sys.platform == "linux" and jobs:
            self._bare = _Renewed(partial(Template, partial(launch_bare, environment=environment)))
        if sys.platform == "linux" and application is not None and self._surroundings is not None:
            (variables, folder), of = self._surroundings, application
            launch = partial(launch_loaded, of.spec, of.stamp, variables=dict(variables), environment=environment)
            self._loaded = _Renewed(partial(Template, launch, str(of.source.parent / (folder or ""))))

    async def of(self, job: Job) -> Template | None:
        """Return the template that is to start the keeper of a job's child; None where there is none to be had."""
        loaded = None
        if self._loaded is not None and job.function is not None and _surroundings(job) == self._surroundings:
            loaded = await self._loaded.current()
            unfit = self._loaded.template and self._loaded.template.unfit
            if unfit is not None and self._say is not None:
                self._say(
                    f"each child process of a function loads {self._file} again, which takes more time and memory: {unfit}"
                )
                self._say = None
        return loaded or (None if self._bare is None else await self._bare.current())

    def close(self) -> None:
        for renewed in (self._bare, self._loaded):
            if renewed is not None and renewed.template is not None:
                renewed.template.close()


def _surroundings(job: Job) -> tuple[tuple[tuple[str, str], ...], str | None]:
    """Return the `env` and `cwd` of a job, to be compared."""
    return tuple(sorted(job.env.items())), job.cwd


def launch_bare(
    requests: int, parent: int, environment: Mapping[str, str] = os.environ
) -> tuple[Sequence[str | Path], Mapping[str, str]]:
    """Return the command and the environment of a template whose keepers start commands."""
    return [sys.executable, "-I", "-S", BARE, str(requests), str(parent)], environment


_LEAST = 64
"""Bytes that the variable has at least, so that there is room for the mark of a keeper."""


def launch_loaded(
    source: str, stamp: str, requests: int, parent: int, *, variables: Mapping[str, str], environment: Mapping[str, str]
) -> tuple[Sequence[str], Mapping[str, str]]:
    """Return the command and the environment of a template. It is told FILE as `load` takes it, its stamp as the replica
    loaded it, and the `env` of its functions; children inherit ``environment``.
    """
    told = {"source": source, "stamp": stamp, "requests": requests, "parent": parent, "limit": limit_of_children()}
    return FUNCTION_CHILD, {**environment, **variables, TEMPLATE_VARIABLE: json.dumps(told).ljust(_LEAST)}


class _Renewed:
    """A template, and after its end another one."""

    def __init__(self, make: Callable[[], Template]) -> None:
        self._make = make
        self.template = self._made()

    async def current(self) -> Template | None:
        """Return it once it is ready; None if that takes too long, or can't be."""
        if self.template is not None:
            self.template.hear()
        if self.template is None or (self.template.was_ready and self.template.has_ended):
            self.template = self._made()
        return self.template if self.template is not None and await self.template.is_ready() else None

    def _made(self) -> Template | None:
        try:
            return self._make()
        except OSError:  # whoever starts a child anew will find out, and say it
            return None
