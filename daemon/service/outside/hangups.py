"""SIGHUP, from the start of the process on: FILE has changed, or the terminal has closed."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
HELD_BACK = (signal.SIGHUP, *STOP_SIGNALS)
"""What a process that starts anew in its place holds back until it is caught there."""
SIGNAL_BASE = 128
"""A process that signal n stopped exits with this plus n, as in a shell."""


def at_a_terminal() -> bool:
    """Return whether somebody started this process by hand: its standard input is a terminal."""
    return os.isatty(0)


class Hangups:
    """Catches SIGHUP, and keeps it until somebody listens.

    Where it is ignored, as `nohup` has it, it stays so.
    """

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
        """Call ``listener`` in the running event loop for each SIGHUP, for one before the block too.

        Its argument is whether the terminal has closed at which this process was started.
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

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
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
