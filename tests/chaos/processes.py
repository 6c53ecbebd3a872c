"""The processes of a campaign: programs that it starts, and what they have started."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.postgres import children_of


class Spawned:
    """A `leased`, or another module, started as a program of its own; ``through`` a program that becomes it."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        log: Path,
        *,
        module: str = "leased",
        through: Sequence[str] = (),
    ) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*through, sys.executable, "-P", "-m", module, *arguments],
                cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.poll()

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)


def hides_boot_id() -> Sequence[str]:
    """Return the program through which another one cannot read the boot's id, as under systemd's `ProcSubset=pid`, or
    in gVisor; nothing where no file system can be mounted.
    """
    hide = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc/sys/kernel/random && exec "$@"', "sh")
    try:
        tried = subprocess.run([*hide, "true"], check=False, capture_output=True)
    except FileNotFoundError:
        return ()
    return hide if tried.returncode == 0 else ()


def templates_of(replica: int) -> list[int]:
    """Return the templates of a replica."""
    return [pid for pid in children_of(replica) if any(word in _command(pid) for word in (b"forks.py", b"child_main"))]


def keepers_of(replica: int) -> list[int]:
    """Return the keepers that a replica has started, or its templates have forked."""
    started = [pid for pid in children_of(replica) if b"keeper" in _command(pid)]  # by its file, then by its title
    return started + [pid for template in templates_of(replica) for pid in children_of(template)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
