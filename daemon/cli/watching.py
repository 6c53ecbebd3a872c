"""A screen that is drawn again and again, as watch(1) does, until q or Ctrl-C."""

import asyncio
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lease.database.database import Unit
from lease.durations import format_duration
from lease.errors import StoreUnavailable

from ..text import counted
from .ask import ask_again
from .failures import Misused
from .screen import screen

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")
_EVERY = 2.0
_BEGIN = "\x1b[?1049h\x1b[?25l\x1b[?7l"
"""Another screen, without a cursor, on which long lines are cut."""
_END = "\x1b[?7h\x1b[?25h\x1b[?1049l"


def watch(database: str | None, unit: Unit[T], show: "Callable[[Console, T], None]") -> None:
    """Show what ``unit`` reads until somebody presses q or Ctrl-C; raises `Misused` without a terminal."""
    if not sys.stdout.isatty():
        raise Misused("--watch needs a terminal, and standard output is not one; leave it out")
    drawn = _WatchedScreen(show)
    try:
        with suppress(_WatchLeft, KeyboardInterrupt):
            ask_again(database, unit, drawn.draw, rest=drawn.rest, away=drawn.away)
    finally:
        drawn.end()


class _WatchLeft(Exception):
    """Somebody has pressed q."""


class _WatchedScreen(Generic[T]):
    """The screen, and the keys that are pressed there."""

    def __init__(self, show: "Callable[[Console, T], None]") -> None:
        self._show = show
        self._found: T | None = None
        self._before: list[Any] | None = None
        self._begun = self._left = False
        self._wake = asyncio.Event()

    def draw(self, found: T) -> bool:
        """Draw what was found; return that there may be more."""
        if not self._begun:
            self._begin()
        self._found = found
        self._draw(found, f"every {format_duration(_EVERY)}; q ends it")
        return True

    def away(self, error: StoreUnavailable) -> None:
        """Say below what was found last that the database is away."""
        assert self._found is not None  # noqa: S101 - an error of the first question ends the command
        self._draw(self._found, f"{error}; trying again")

    async def rest(self) -> None:
        """Wait until it is time to look again, or somebody presses a key, or resizes the terminal."""
        self._wake.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), _EVERY)
        if self._left:
            raise _WatchLeft

    def end(self) -> None:
        """Give the terminal back as it was."""
        if self._begun:
            sys.stdout.write(_END)
            sys.stdout.flush()
        if self._before is not None:
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._before)

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        # By default it would leave the terminal like this.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        if signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL:  # the shell has job control
            loop.add_signal_handler(signal.SIGTSTP, self._stop)
        loop.add_signal_handler(signal.SIGWINCH, self._wake.set)
        if sys.stdin.isatty():
            loop.add_reader(sys.stdin.fileno(), self._pressed)
        self._take()

    def _take(self) -> None:
        """Take the terminal; a process in the background stops here until it is in the foreground."""
        if sys.stdin.isatty():
            self._before = termios.tcgetattr(sys.stdin.fileno())
            tty.setcbreak(sys.stdin.fileno())
        self._begun = True
        sys.stdout.write(_BEGIN)

    def _stop(self) -> None:
        """Stop as Ctrl-Z asks, with the terminal given back, until somebody continues this process."""
        self.end()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTSTP, self._stop)
        self._take()
        self._wake.set()

    def _pressed(self) -> None:
        keys = os.read(sys.stdin.fileno(), 100)
        self._left = self._left or not keys or b"q" in keys.lower()
        self._wake.set()

    def _draw(self, found: T, below: str) -> None:
        console = screen()
        with console.capture() as captured:
            self._show(console, found)
        lines = captured.get().splitlines()
        most = max(1, console.height - 1)
        if hidden := len(lines[most:]):
            below = f"{counted(hidden, 'more line')}; {below}"
        # It erases before it writes: below a line that fills the terminal, the cursor is still on the last character.
        shown = "".join(f"\x1b[K{line}\n" for line in lines[:most])
        sys.stdout.write(f"\x1b[H{shown}\x1b[J{below}")
        sys.stdout.flush()
