"""The processes of a campaign: programs that it starts, and how it finds what they have started."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.postgres import children_of
from tests.support.starter import ROOT

from .diary import FOLDER


class Spawned:
    """A `leased`, or another module, started as a program of its own."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        log: Path,
        *,
        module: str = "leased",
    ) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, *arguments],
                cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.poll()

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)


def environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a campaign's replica."""
    inherited = {name: value for name, value in os.environ.items() if not re.match("LEASED?_", name)}
    return {**inherited, "PYTHONPATH": str(ROOT), FOLDER: str(folder), **more}


def keepers_of(replica: int) -> list[int]:
    """Return the keepers that a replica has started."""
    return [pid for pid in children_of(replica) if b"keeper" in _command(pid)]


def kill_marked(folder: Path) -> list[int]:
    """Kill every process of the campaign, and return them."""
    found = []
    mark = f"{FOLDER}={folder}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
                os.kill(int(entry.name), 9)
        except OSError:
            continue
    return found


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
