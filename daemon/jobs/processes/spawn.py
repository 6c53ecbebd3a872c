"""The start of a keeper, and the reasons why it refuses a command."""

import contextlib
import errno
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, assert_never

from ...errors import DaemonError
from ..room import Shortage, shortage
from .keeper_main import remove as remove_file
from .trust_page import TrustPage

KEEPER = Path(__file__).with_name("keeper_main.py")

Step = Literal["cwd", "command"]
"""The step at which a keeper refused: its folder or its command."""


class ChildNotStarted(DaemonError):
    """The child never ran: its command, folder or keeper is missing, or it was stopped first."""


class StartedKeeper(Protocol):
    """The process of a keeper, as `subprocess.Popen` shows one that was started."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None: ...
    def kill(self) -> None: ...


class KeeperSource(Protocol):
    """What starts the processes of keepers: a template (`templates/templates.py`), or a new interpreter."""

    def start(
        self, env: Mapping[str, str], trust: TrustPage, *, control: int, printed: int, report: int, remove: str
    ) -> StartedKeeper: ...


class TemplateGone(DaemonError):
    """A template has ended, or does not answer."""


@dataclass(frozen=True, slots=True)
class KeeperProcess:
    """A keeper that waits for `order`, and our ends of the connections to it."""

    process: StartedKeeper
    order: bytes
    control: socket.socket
    printed: int
    reported: int
    remove: str | None

    def close(self) -> None:
        """Close our ends; a keeper that still runs ends its tree and itself. One that was killed has removed no file."""
        remove_file(self.remove or "")
        self.control.close()
        os.close(self.printed)
        os.close(self.reported)


def start_keeper(
    argv: Sequence[str],
    cwd: str | None,
    env: Mapping[str, str],
    trust: TrustPage,
    *,
    remove: str | None = None,
    template: KeeperSource | None = None,
) -> KeeperProcess:
    """Start a keeper in a session of its own; raises ChildNotStarted, or Shortage if the machine lacks what that takes.
    Takes a millisecond or two.

    It is forked from the template, or started anew where there is none any more. The child inherits the report pipe and
    the trust page too; LEASED_REPORT_FD holds the number of the descriptor, LEASED_TRUST the address of
    the page. The keeper removes the file `remove` at its end.
    """
    try:
        order = _order(argv, cwd)
        if template is not None:
            with contextlib.suppress(TemplateGone):
                return _started(order, template, env, trust, remove)
        return _started(order, _NewInterpreter(), env, trust, remove)
    except ChildNotStarted:
        remove_file(remove or "")
        raise
    except (OSError, ValueError, MemoryError) as error:
        remove_file(remove or "")
        raise shortage(error) or ChildNotStarted(f"could not start a keeper for {argv[0]}: {error}") from error


def _order(argv: Sequence[str], cwd: str | None) -> bytes:
    words = [os.fsencode(word) for word in (os.path.abspath(cwd or "."), *argv)]  # noqa: PTH100 (no link is resolved)
    if not argv or b"\0" in b"".join(words):
        raise ChildNotStarted(f"not a command: {list(argv)!r} is empty or contains a NUL character")
    return b"go " + b"\0".join(words).hex().encode() + b"\n"


def _started(
    order: bytes, source: KeeperSource, env: Mapping[str, str], trust: TrustPage, remove: str | None
) -> KeeperProcess:
    with contextlib.ExitStack() as free:  # raises OSError unless there are so many
        for _ in range(LEFT_OVER + OF_CHILD):
            free.callback(os.close, os.dup(trust.fd))
    with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
        control, keepers_control = socket.socketpair()
        ours.callback(control.close)
        theirs.callback(keepers_control.close)
        printed, prints = _pipe(ours, theirs)
        reported, reports = _pipe(ours, theirs)
        process = source.start(
            env, trust, control=keepers_control.fileno(), printed=prints, report=reports, remove=remove or ""
        )
        control.setblocking(False)
        ours.pop_all()
    return KeeperProcess(process, order, control, printed, reported, remove)


class _NewInterpreter:
    def start(
        self, env: Mapping[str, str], trust: TrustPage, *, control: int, printed: int, report: int, remove: str
    ) -> StartedKeeper:
        told = (control, trust.address, report, _limit_of_children, os.getpid(), remove)
        return subprocess.Popen(  # noqa: S603 (running commands is what this program is for)
            [sys.executable, "-I", "-S", KEEPER, *map(str, told)],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            env={**env, "LEASED_REPORT_FD": str(report), "LEASED_TRUST": trust.address},
            pass_fds=[control, trust.fd, report],
            start_new_session=True,
        )


def never_started(why: str, status: int, printed: str) -> ChildNotStarted | Shortage:
    """Return why a keeper that has ended never started its child: on request, or because it could not live itself."""
    if why != "abandoned":
        return ChildNotStarted(f"the child ended before it was started ({why})")
    said = [line for line in printed.splitlines() if line.strip() and not line.startswith("leased: ")]
    how = f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
    return Shortage(
        f"the job's keeper {how} before the job could be started, so no attempt was used; "
        + (f"it said: {said[-1].strip()}" if said else "see whether the machine is out of memory (`free -m`, `dmesg`)")
    )


def refusal(step: Step, number: int, argv: Sequence[str], cwd: str | None, env: Mapping[str, str]) -> str:
    """Return the sentence that says why the keeper could not start a command."""
    match step:
        case "cwd":
            missing = number == errno.ENOENT
            return f"folder not found: {cwd}" if missing else f"can't run in folder {cwd}: {os.strerror(number)}"
        case "command":
            command = argv[0]
            match number:
                case errno.ENOENT if shutil.which(command, path=env.get("PATH")):
                    return f"interpreter not found: the one named in the first line of {command}"
                case errno.ENOENT:
                    return f"command not found: {command}"
                case errno.EACCES:
                    return f"permission denied: {command} (is it an executable file?)"
                case errno.ENOEXEC:
                    return f'not a program: {command} (a script needs a first line like "#!/bin/sh")'
                case _:
                    return f"can't run {command}: {os.strerror(number)}"
        case _:
            assert_never(step)


def _pipe(ours: contextlib.ExitStack, theirs: contextlib.ExitStack) -> tuple[int, int]:
    reading, writing = os.pipe()
    ours.callback(os.close, reading)
    theirs.callback(os.close, writing)
    os.set_blocking(reading, False)
    return reading, writing


# The file descriptors that children take in this process, and the limit that they have themselves (rule 25)

OF_CHILD = 3
"""Descriptors open here for each child at work: the socket to its keeper, and two pipes."""
LEFT_OVER = 24
"""Descriptors that a start leaves to the replica itself, or it does not begin: the start takes nine for a moment, and a
shortage that jobs make must not reach the heartbeat."""

_limit_of_children = -1


def set_limit_of_children(soft: int) -> None:
    """Have children start with this soft limit, because this process has raised its own."""
    global _limit_of_children  # noqa: PLW0603 - as the limit itself, it is one for the process
    _limit_of_children = soft


def limit_of_children() -> int:
    """Return the soft limit for children; -1 for that of this process."""
    return _limit_of_children
