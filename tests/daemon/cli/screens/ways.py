"""The ways in which a command is called: at a terminal of 80, 120 and 200 columns, there with NO_COLOR, and in a pipe."""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pytest

from daemon.cli import main

Way = Literal["at a terminal", "with NO_COLOR", "in a pipe"]
WAYS: tuple[Way, ...] = ("at a terminal", "with NO_COLOR", "in a pipe")
COLUMNS = 80
WIDTHS = (COLUMNS, 120, 200)
STYLE = re.compile("\x1b\\[([0-9;]*)m")
NAMES = {"0": "/", "1": "bold", "2": "dim", "31": "red", "32": "green", "33": "yellow", "34": "blue", "36": "cyan"}
COLOURS = ("COLORTERM", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "LINES")
"""Variables that may be set where the tests run, and would change a screen."""


class Stream(io.StringIO):
    """An output that is a terminal, or none."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@dataclass(frozen=True)
class Shown:
    """The output of a command, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All of it as one screen."""
        ended = f"[exit status {self.status}]\n" if self.status else ""
        return self.out + self.err + ended


def call(way: Way, arguments: Sequence[str], columns: int = COLUMNS) -> Shown:
    """Run a command in this process and in this way."""
    return shown(way, lambda: main(list(arguments)), columns)


def shown(way: Way, show: Callable[[], int], columns: int = COLUMNS) -> Shown:
    """Let something be shown in this way."""
    out, err = (Stream(terminal=way != "in a pipe") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        for variable in COLOURS:
            patch.delenv(variable, raising=False)
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("COLUMNS", str(columns))
        if way == "with NO_COLOR":
            patch.setenv("NO_COLOR", "1")
        patch.setattr("sys.stdout", out)
        patch.setattr("sys.stderr", err)
        return Shown(show(), out.getvalue(), err.getvalue())


def plain(text: str) -> str:
    """Return it without its colours."""
    return STYLE.sub("", text)


def named(text: str) -> str:
    """Return it with its colours by their names: ``<red>failed</>``."""
    return STYLE.sub(lambda found: f"<{' '.join(NAMES[code] for code in found[1].split(';'))}>", text)
