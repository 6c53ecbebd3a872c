"""Processes with a mark: a variable of their environment that names a folder, by which all of them are found."""

import contextlib
import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path

from .starter import ROOT
from .telling import is_alive


def marked_environment(variable: str, folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process with this mark, without any setting of our own surroundings."""
    inherited = {name: value for name, value in os.environ.items() if not re.match("LEASED?_", name)}
    return {**inherited, "PYTHONPATH": str(ROOT), variable: str(folder), **more}


def kill_marked(variable: str, folder: Path) -> list[int]:
    """Kill every living process with this mark, and return them."""
    mark, found = f"{variable}={folder}".encode(), []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            pid = int(entry.name)
            if mark in (entry / "environ").read_bytes().split(b"\0") and is_alive(pid):
                found.append(pid)
                os.kill(pid, signal.SIGKILL)
    return found
