"""The link of a replica to its supervisor: what it was told, and how it answers (rule 22)."""

import json
import os
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from ...definitions.application import Application
from ...errors import DaemonError
from ...jobs.processes.identity import ProcessIdentity, is_alive
from ...web.address import WebAddress
from ..environment import CHECKED_DIGEST, READY_FD, REPLACED_PROCESS, REPLICA_INDEX

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
        index, ready = (_number(environment.pop(name, "")) for name in (REPLICA_INDEX, READY_FD))
        pid, _, start_time = environment.pop(REPLACED_PROCESS, "").partition(".")
        replaced = ProcessIdentity(int(pid), int(start_time)) if _number(pid) and _number(start_time) else None
        digest = environment.pop(CHECKED_DIGEST, None)
        if ready is not None:
            try:
                os.set_inheritable(ready, False)
            except OSError:
                ready = None
        return cls(index or 0, digest, replaced, ready, None if digest is None else _settings(handed()))

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
        """Tell the supervisor that this replica is ready to claim."""
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


def _settings(handed: bytes) -> Mapping[str, Any]:
    if not handed:
        raise NothingHandedOver(
            "the supervisor handed over no settings: it has ended, or runs another version of leased; restart it"
        )
    settings: Mapping[str, Any] = json.loads(handed)
    return settings


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
