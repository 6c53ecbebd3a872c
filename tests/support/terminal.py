"""A program at a terminal, as somebody starts it by hand."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Mapping
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

    def said(self) -> str:
        """Return what it says until it has ended, on one line."""
        heard = b""
        while select.select([self._ours], [], [], LIMIT)[0]:
            try:
                heard += os.read(self._ours, 4096)
            except OSError:  # it has ended
                break
        return " ".join(heard.decode().split())

    def end(self) -> int:
        """Wait until it has ended, and return its exit status."""
        self.process.communicate(timeout=LIMIT)
        return self.process.returncode

    def close(self) -> None:
        """End it if it has not ended."""
        self.process.kill()
        self.process.communicate()
        os.close(self._ours)
