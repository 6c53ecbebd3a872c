"""The effects that loading FILE has on its own process: a keeper undoes them, and the child gets them back."""

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from ..processes.keeper import limit_descriptors
from ..processes.signals import IGNORED, RESET


class Effects:
    """The signal handlers, variables, folder and limit of descriptors that FILE has left.

    Make it before FILE is loaded: it keeps what there is then, to compare with, and sets the limit of
    descriptors to ``limit``, as for a child.
    """

    def __init__(self, limit: int) -> None:
        _expect_signals()
        limit_descriptors(limit)
        self._limits: tuple[int, int] | None = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._before = dict(os.environb)
        self._folder: Path | None = Path.cwd()
        self._handlers = _handlers()
        self._set: dict[bytes, bytes] = {}
        self._unset: set[bytes] = set()

    def note(self) -> None:
        """Note them, once FILE is loaded."""
        self._set = {name: value for name, value in os.environb.items() if self._before.get(name) != value}
        self._unset = self._before.keys() - os.environb.keys()
        self._folder = None if self._folder == Path.cwd() else Path.cwd()
        self._handlers = _handlers()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._limits = None if self._limits == limits else limits

    def restore(self) -> None:
        """Have them in this process, and let signals in."""
        os.environb.update(self._set)
        for name in self._unset:
            os.environb.pop(name, None)
        if self._folder is not None:
            os.chdir(self._folder)
        if self._limits is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, self._limits)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _expect_signals() -> None:
    """Give signals the effect that a keeper gives them for a command; Python itself ignores two."""
    for number in set(RESET) - {signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _handlers() -> dict[signal.Signals, Callable[[int, FrameType | None], Any] | int]:
    """Return what follows from each signal that a keeper handles itself; a handler that is not Python's is not kept."""
    found = {number: signal.getsignal(number) for number in (*IGNORED, signal.SIGCHLD)}
    return {number: signal.SIG_DFL if handler is None else handler for number, handler in found.items()}
