"""What a replica has to do with outside its database and its jobs."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

from ..environment import EARLIER_HOLDER
from .file_check import CheckedFile, WrongFile
from .hangups import Hangups
from .link import SupervisorLink
from .service_manager import ServiceManager


@dataclass(slots=True)
class Outside:
    """The supervisor, the service manager and SIGHUP; by default there is none of them."""

    link: SupervisorLink = field(default_factory=SupervisorLink)
    manager: ServiceManager = field(default_factory=ServiceManager)
    hangups: Hangups | None = None
    check: Callable[[], Awaitable[CheckedFile | WrongFile]] | None = None
    """Checks FILE as a start anew would find it."""
    earlier_holder: str | None = None
    """The replica that this very process was, before it started anew."""
    to_start_anew: str | None = None
    """The replica that it has been, once it has ended in order to start anew."""

    @classmethod
    def found(cls, warn: Callable[[str], object]) -> Self:
        """Take what this process was told out of its environment, and catch SIGHUP from now on.

        ``warn`` gets a sentence about each variable that cannot be used.
        """
        link, earlier = SupervisorLink.inherited(os.environ), os.environ.pop(EARLIER_HOLDER, None)
        return cls(link, ServiceManager.found(os.environ, warn), Hangups(), earlier_holder=earlier)
