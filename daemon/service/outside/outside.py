"""What a replica has to do with outside its database and its jobs."""

import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from ..environment import EARLIER_HOLDER
from .file_check import CheckedFile, WrongFile
from .hangups import STOP_SIGNALS, Hangups
from .link import SupervisorLink
from .service_manager import ServiceManager

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
        """Take what this process was told out of its environment, and catch SIGHUP from now on.

        ``warn`` gets a sentence about each variable that cannot be used.
        """
        link, earlier = SupervisorLink.inherited(os.environ), os.environ.pop(EARLIER_HOLDER, None)
        inherited = [number for number in _ABOUT_INHERITED if signal.getsignal(number) is signal.SIG_IGN]
        manager = ServiceManager.found(os.environ, warn)
        return cls(link, manager, Hangups(), earlier_holder=earlier, inherited=inherited)

    @property
    def stop_signals(self) -> list[signal.Signals]:
        """Those that stop this process."""
        return [number for number in STOP_SIGNALS if number not in self.inherited]

    def about_inherited(self) -> list[str]:
        """Return a sentence about each signal that is ignored, for the log; a supervisor says it for its replicas."""
        return [] if self.link.is_supervised else [_ABOUT_INHERITED[number] for number in self.inherited]
