"""A program at a terminal, as somebody starts it by hand."""

import os
import pty
import shlex
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from .starter import ROOT
from .waiting import LIMIT, wait_until


class Terminal:
    """A program at a terminal of its own, which is its standard input and where it writes its errors."""

    def __init__(self, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(30)
        self.modes = self.modes_now
        self.process = subprocess.Popen(
            self._command(arguments, os.ttyname(theirs)),
            cwd=folder,
            env={**(environment or os.environ), "PYTHONPATH": str(ROOT)},
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        os.close(theirs)
        self._heard = b""
        self._reader = threading.Thread(target=self._read, daemon=True)  # nobody who writes there may have to wait
        self._reader.start()

    def _command(self, arguments: Sequence[str], _name: str) -> list[str]:
        return [sys.executable, "-P", *arguments]

    @property
    def modes_now(self) -> list[object]:
        """The modes of the terminal; it begins with ``modes``."""
        return list(termios.tcgetattr(self._ours))

    def resize(self, rows: int) -> None:
        """Give it so many rows of 80 columns."""
        termios.tcsetwinsize(self._ours, (rows, 80))

    def press(self, keys: str) -> None:
        """Press keys, of which the terminal itself may take some: Ctrl-C, Ctrl-Z."""
        os.write(self._ours, keys.encode())

    def until(self, sentence: str, times: int = 1) -> None:
        """Wait until it has written this so often."""
        wait_until(lambda: self.written.count(sentence) >= times, f"{sentence!r}")

    @property
    def written(self) -> str:
        """All that it has written so far."""
        return self._heard.decode(errors="replace")

    def _read(self) -> None:
        with suppress(OSError):  # it has ended
            while some := os.read(self._ours, 4096):
                self._heard += some

    def said(self) -> str:
        """Return what it says until it has ended, on one line."""
        self._reader.join(LIMIT)
        return " ".join(self._heard.decode().split())

    def end(self) -> int:
        """Wait until it has ended, and return its exit status."""
        self.process.communicate(timeout=LIMIT)
        return self.process.returncode

    def close(self) -> None:
        """End it if it has not ended."""
        self.process.kill()
        self.process.communicate()
        self._reader.join(LIMIT)
        os.close(self._ours)


class Shell(Terminal):
    """A shell that has its terminal as its own, and so what it starts: keys are signals there. ``$LEASED`` is the command."""

    def _command(self, arguments: Sequence[str], name: str) -> list[str]:
        (script,) = arguments
        begin = f"exec <>{name} >&0 2>&1; unset COLUMNS LINES; export TERM=xterm"
        return ["bash", "-c", f"{begin}; LEASED={shlex.quote(sys.executable)}' -P -m leased'; {script}"]
