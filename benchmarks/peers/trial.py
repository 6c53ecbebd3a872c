"""A trial of a peer: so many no-op jobs that wait already, done by one worker in a process of its own."""

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from time import perf_counter, process_time

from ..errors import BenchmarkError
from ..stores import Store

_LIMIT = 180.0


@dataclass(frozen=True, slots=True)
class Order:
    """The order to a worker: its arguments."""

    url: str
    jobs: int
    places: int
    """The jobs that it takes at once."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another that can do the work, and what it takes."""

    name: str
    module: str
    packages: tuple[str, ...]
    in_batches: bool = False
    """It takes several jobs at once, so that it matters how many."""

    @property
    def version(self) -> str | None:
        """Its version; None where a package that it takes is not installed."""
        try:
            return next(iter([metadata.version(package) for package in self.packages]))
        except metadata.PackageNotFoundError:
            return None


QUEUES = (
    Peer("pgqueuer", "benchmarks.peers.pgqueuer_worker", ("pgqueuer", "asyncpg"), in_batches=True),
    Peer("procrastinate", "benchmarks.peers.procrastinate_worker", ("procrastinate",)),
    Peer("APScheduler", "benchmarks.peers.apscheduler_worker", ("apscheduler", "sqlalchemy", "asyncpg")),
)


def present(left_out: list[str]) -> list[Peer]:
    """Return the peers that are installed, and add a sentence about those that are not."""
    there = [peer for peer in QUEUES if peer.version and not (peer.name == "APScheduler" and peer.version < "4")]
    missing = [peer.name for peer in QUEUES if peer not in there]
    if missing:
        left_out.append(
            f"{', '.join(missing)}: not installed; `make bench PEERS=yes` installs what is compared with leased."
        )
    return there


def per_second(peer: Peer, store: Store, jobs: int, places: int) -> float:
    """Return how many jobs a second it does, on a database of its own. Raises `BenchmarkError`."""
    with store.empty() as url:
        words = [sys.executable, "-m", peer.module, url.replace("+psycopg", ""), str(jobs), str(places)]
        root = Path(__file__).parents[2]
        ended = subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=_LIMIT, check=False)
    try:
        answer = json.loads(ended.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        said = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise BenchmarkError(f"{peer.name} failed: {said}") from None
    if answer["done"] != jobs:
        raise BenchmarkError(f"{peer.name} did {answer['done']} of {jobs} jobs")
    return float(jobs / answer["seconds"])


class Clock:
    """The clock of a worker, which counts the jobs that it has done."""

    def __init__(self) -> None:
        self.done = 0
        self._began, self._used = perf_counter(), process_time()

    def start(self) -> None:
        """Begin anew."""
        self._began, self._used = perf_counter(), process_time()

    def report(self) -> None:
        """Print the answer."""
        print(
            json.dumps({"done": self.done, "seconds": perf_counter() - self._began, "cpu": process_time() - self._used})
        )


def read_order() -> Order:
    """Return what the arguments say."""
    url, jobs, places = sys.argv[1:]
    return Order(url, int(jobs), int(places))
