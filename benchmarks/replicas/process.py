"""`leased run` as a process."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ..errors import BenchmarkError
from .counted import Counts
from .reading import LIMIT, Reader, reading
from .usage import cpu_of, cpu_of_tree

_STOP_LIMIT = 30.0
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Running:
    """A replica, or a supervisor with several."""

    process: subprocess.Popen[bytes]
    counts: Counts
    """The statements and commits that it has sent so far; zero of several replicas."""
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu(self) -> float:
        """Return the seconds of CPU that it has used."""
        return cpu_of(self.pid)

    def cpu_of_all(self) -> float:
        """Return those of its living helpers and children too."""
        return cpu_of_tree(self.pid)

    def check(self) -> None:
        """Raise `BenchmarkError` if it has ended."""
        if self.process.poll() is not None:
            raise BenchmarkError(f"leased run has ended with {self.process.returncode}: {_last_line(self.log)}")


@contextmanager
def running(url: str, file: Path, *flags: str, variables: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Run `leased run` on a file with these flags during the block; whether it is ready is for the caller to see."""
    counts = Counts(file.with_name(f"counts-{next(_numbers)}"))
    command = _command(file, *flags, counts=counts)
    log = file.with_suffix(".log")
    with log.open("ab") as said:
        process = subprocess.Popen(command, env=environment(url, variables), stdout=said, stderr=said)
    try:
        yield Running(process, counts, log)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(reader: Reader, *replicas: Running, limit: float = LIMIT) -> None:
    """Wait until all of them are ready. Raises `BenchmarkError` when one has ended, or is not ready in time."""

    def ready() -> bool:
        for one in replicas:
            one.check()
        return reader.ready(len(replicas))

    reader.wait(ready, "the replica is ready", limit=limit)


def run_until_idle(url: str, file: Path, *flags: str) -> float:
    """Run a replica until no run is left, and stop it; return the seconds of CPU of it and all its descendants.

    It is not `--until-idle`, which shows at the terminal what the jobs do and print.
    """
    before = _children()
    with reading(url) as reader, running(url, file, *flags) as replica:
        wait_until_ready(reader, replica)
        reader.wait_for_ends()
    return _children() - before


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _command(file: Path, *flags: str, counts: Counts | None = None) -> list[str]:
    module = ["leased"] if counts is None else ["benchmarks.replicas.counted", str(counts.path)]
    web = () if "--web" in flags else ("--no-web",)
    return [sys.executable, "-m", *module, "run", *web, "--log-level", "warning", *flags, str(file)]


def environment(url: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables of a process of leased's on this database."""
    root = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": root, "LEASED_DATABASE_URL": url, **(more or {})}


def _last_line(log: Path) -> str:
    return (log.read_text(encoding="utf-8", errors="replace").splitlines() or ["it said nothing"])[-1]
