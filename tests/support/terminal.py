"""A program at a terminal, as somebody starts it by hand."""

import os
import pty
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .starter import ROOT
from .waiting import LIMIT


class Terminal:
    """A program at a terminal of its own, which is its standard input and where it writes its errors."""

    def __init__(self, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-P", *arguments],
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
