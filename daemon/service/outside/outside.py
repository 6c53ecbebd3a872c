"""What a replica has to do with outside its database and its jobs: its supervisor, the service manager, and SIGHUP."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, NoReturn, Self

from ...definitions.application import Application
from ...errors import DaemonError
from ...jobs.processes.identity import ProcessIdentity, is_alive
from ...web.address import WebAddress
from ..environment import CHECKED_DIGEST, EARLIER_HOLDER, READY_FD, REPLACED_PROCESS, REPLICA_INDEX
from .file_check import CheckedFile, WrongFile

READY = b"ready\n"
"""What a replica writes once it is ready to claim."""
WEB = b"web "
"""What it writes before its address once it answers over HTTP."""
OTHER_FILE = b"other file\n"
"""What it writes before it ends because FILE is not what the supervisor checked."""


class OtherFile(DaemonError):
    """FILE is not what the supervisor has checked."""


class NothingHandedOver(DaemonError):
    """The supervisor has not handed over what this replica is to run with."""


def _from_stdin() -> bytes:
    """Return what the supervisor wrote, up to its end; stdin is empty from then on, as it is for a job."""
    with os.fdopen(os.dup(0), "rb") as stdin:
        handed = stdin.read()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return handed


@dataclass(frozen=True, slots=True)
class SupervisorLink:
    """What a supervisor has told its replica. A lone replica was told nothing."""

    index: int = 0
    """The number of this replica, from 0."""
    digest: str | None = None
    """Of the definitions that the supervisor has checked."""
    replaced: ProcessIdentity | None = None
    """The replica that ends when this one is ready."""
    ready_fd: int | None = None
    settings: Mapping[str, Any] | None = None
    """What the supervisor has checked, as `as_plain` has it."""

    @classmethod
    def inherited(cls, environment: MutableMapping[str, str], handed: Callable[[], bytes] = _from_stdin) -> Self:
        """Take what the supervisor has told out of ``environment``: it means nothing to a child. ``handed`` reads what it
        tells in secret. Raises `NothingHandedOver`.
        """
        index, ready = _number(environment.pop(REPLICA_INDEX, "")) or 0, inherited_descriptor(environment, READY_FD)
        pid, _, start_time = environment.pop(REPLACED_PROCESS, "").partition(".")
        replaced = ProcessIdentity(int(pid), int(start_time)) if _number(pid) and _number(start_time) else None
        digest = environment.pop(CHECKED_DIGEST, None)
        if digest is None:
            return cls(index, digest, replaced, ready)
        if not (settings := handed()):
            raise NothingHandedOver(
                "the supervisor handed over no settings: it has ended, or runs another version of leased; restart it"
            )
        return cls(index, digest, replaced, ready, json.loads(settings))

    @property
    def is_supervised(self) -> bool:
        """Whether there is a supervisor that does on SIGHUP what a lone replica does itself."""
        return self.digest is not None

    def check(self, application: Application, supervisor: int) -> None:
        """Raise `OtherFile` if these are not the definitions that the process ``supervisor`` has checked."""
        if self.digest is None or application.checked_digest == self.digest:
            return
        self._answer(OTHER_FILE)
        raise OtherFile(
            f"{application.source} has changed since the supervisor checked it, and this replica does not run what "
            f"nobody has checked; send SIGHUP to the supervisor (process {supervisor}) to replace all replicas"
        )

    def ready(self) -> None:
        self._answer(READY)

    def serves(self, address: WebAddress) -> None:
        """Tell the supervisor at which address this replica answers over HTTP."""
        self._answer(WEB + f"{address}\n".encode())

    def replaces_a_living_one(self) -> bool:
        """Return whether the replica in whose place this one was started is still there."""
        return self.replaced is not None and is_alive(self.replaced) is not False

    def _answer(self, answer: bytes) -> None:
        if self.ready_fd is not None:
            with suppress(OSError):  # the supervisor is gone, which ends this replica by another way
                os.write(self.ready_fd, answer)


def inherited_descriptor(environment: MutableMapping[str, str], variable: str) -> int | None:
    """Take an inherited file descriptor out of ``environment``; None if there is none. No child inherits it further."""
    descriptor = _number(environment.pop(variable, ""))
    with suppress(OSError):
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
            return descriptor
    return None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_PATIENCE = 0.5
"""Seconds to wait for a service manager whose queue is full."""


class ServiceManager:
    """Sends each change to ``address``; None: nobody is told. No method raises, or waits for long."""

    def __init__(
        self, address: str | None = None, watchdog: float | None = None, variables: Mapping[str, str] | None = None
    ) -> None:
        self.variables = variables or {}
        """Those that it was found by, for a start anew."""
        self._address = None if address is None else f"\0{address[1:]}" if address[0] == "@" else address
        self._watchdog = watchdog

    @classmethod
    def found(cls, environment: MutableMapping[str, str], warn: Callable[[str], object]) -> Self:
        """Take its variables out of ``environment``: no job speaks for the service. ``warn`` is told of wrong ones."""
        variables = {name: environment.pop(name) for name in _VARIABLES if name in environment}
        address, every, pid = (variables.get(name) for name in _VARIABLES)
        if not address:
            return cls()
        if address[0] not in "/@" or address == "@":
            warn(
                f'NOTIFY_SOCKET is "{address}", which is neither a path nor "@name", so the service manager is not notified'
            )
            return cls()
        if every is None or (pid is not None and pid != str(os.getpid())):
            return cls(address, None, variables)
        if not every.isascii() or not every.isdigit() or int(every) == 0:
            warn(f'WATCHDOG_USEC is "{every}", which is not a number of microseconds, so the watchdog is not notified')
            return cls(address, None, variables)
        return cls(address, int(every) / 1e6, variables)

    def ready(self, status: str) -> None:
        """Tell that the service is up, or that its reload is over."""
        self._send("READY=1", f"MAINPID={os.getpid()}", f"STATUS={status}")

    def reloading(self, status: str) -> None:
        """Tell that FILE is read anew; `ready` ends that."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}", f"STATUS={status}")

    def starting_anew(self) -> None:
        """Tell that this process is about to be replaced; the watchdog waits for the new start from here on."""
        self._send("WATCHDOG=1", "STATUS=restarting in place")

    def stopping(self, status: str) -> None:
        self._send("STOPPING=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        self._send(f"STATUS={status}")

    async def watch(self, is_alive: Callable[[], bool]) -> None:
        """Tell the watchdog, twice in each of its periods, as long as every loop is alive."""
        while self._watchdog is not None:
            if is_alive():
                self._send("WATCHDOG=1")
            await asyncio.sleep(self._watchdog / 2)

    def _send(self, *lines: str) -> None:
        if self._address is None or sys.platform == "win32":
            return
        message = "\n".join(" ".join(line.split()) for line in lines).encode(errors="replace")
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(_PATIENCE)
            sender.sendto(message, self._address)


# SIGHUP, from the start of the process on: FILE has changed, or the terminal has closed

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
HELD_BACK = (signal.SIGHUP, *STOP_SIGNALS)
"""What a process that starts anew in its place holds back until it is caught there."""
SIGNAL_BASE = 128
"""A process that signal n stopped exits with this plus n, as in a shell."""


def at_a_terminal() -> bool:
    """Return whether somebody started this process by hand: its standard input is a terminal."""
    return os.isatty(0)


class Hangups:
    """Catches SIGHUP, and keeps it until somebody listens. Where it is ignored, as `nohup` has it, it stays so."""

    def __init__(self) -> None:
        self._listener: Callable[[], object] | None = None
        self._received = False
        self._terminal = _has_terminal()
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._on_signal)
        if os.getpid() == 1 and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            # The first process of a container gets no signal without a handler, not even one that was held back.
            signal.signal(signal.SIGTERM, end_at_once)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)

    @contextmanager
    def heard_by(self, listener: Callable[[bool], object]) -> Iterator[None]:
        """Call ``listener`` in the running event loop for each SIGHUP, for one before the block too. Its argument is
        whether the terminal has closed at which this process was started.
        """
        loop = asyncio.get_running_loop()
        self._listener = lambda: loop.call_soon_threadsafe(lambda: listener(self._terminal and not _has_terminal()))
        if self._received:
            self._received = False
            self._listener()
        try:
            yield
        finally:
            self._listener = None

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._listener is None:
            self._received = True
        else:
            self._listener()


def hold_back() -> None:
    """Hold signals back; those that come now reach the program that takes this one's place."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)


def end_at_once(number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(SIGNAL_BASE + number)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


# All of it

_ABOUT_INHERITED = {
    signal.SIGHUP: "SIGHUP is ignored because the parent process ignored it (nohup?): closing the terminal does "
    "not stop this process, and it cannot reload; to load a changed FILE, stop it with SIGTERM and start it again",
    signal.SIGINT: "SIGINT is ignored because the parent process ignored it (& in a script?): stop it with SIGTERM",
}


@dataclass(slots=True)
class Outside:
    """The supervisor, the service manager and SIGHUP; by default there is none of them."""

    link: SupervisorLink = field(default_factory=SupervisorLink)
    manager: ServiceManager = field(default_factory=ServiceManager)
    hangups: Hangups | None = None
    check: Callable[[], Awaitable[CheckedFile | WrongFile]] | None = None
    """Checks FILE as a start anew would find it."""
    checked: CheckedFile | None = None
    """What runs now, as it was checked."""
    earlier_holder: str | None = None
    """The replica that this very process was, before it started anew."""
    to_start_anew: str | None = None
    """The replica that it has been, once it has ended in order to start anew."""
    inherited: Sequence[signal.Signals] = ()
    """SIGHUP and SIGINT, if this process was started with them ignored; they stay so."""

    @classmethod
    def found(cls, warn: Callable[[str], object]) -> Self:
        """Take what this process was told out of its environment, and catch SIGHUP. ``warn`` is told which is wrong."""
        link, earlier = SupervisorLink.inherited(os.environ), os.environ.pop(EARLIER_HOLDER, None)
        inherited = [number for number in _ABOUT_INHERITED if signal.getsignal(number) is signal.SIG_IGN]
        manager = ServiceManager.found(os.environ, warn)
        return cls(link, manager, Hangups(), earlier_holder=earlier, inherited=inherited)

    @property
    def stop_signals(self) -> list[signal.Signals]:
        return [number for number in STOP_SIGNALS if number not in self.inherited]

    def about_inherited(self) -> list[str]:
        """Return a sentence about each signal that is ignored, for the log; a supervisor says it for its replicas."""
        return [] if self.link.is_supervised else [_ABOUT_INHERITED[number] for number in self.inherited]
