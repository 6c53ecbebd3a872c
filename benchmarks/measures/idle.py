"""Idleness: what replicas cost that have nothing to do, and how long they take to be there."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import perf_counter, sleep

from ..benchmark import Benchmark
from ..errors import BenchmarkError
from ..figures import Figure, at_most
from ..progress import tell
from ..replicas.process import Running, environment, running, wait_until_ready
from ..replicas.reading import reading
from ..replicas.usage import resident
from ..site import Site, migrated
from ..stores import Store

_FILE = """
from daemon import Schedules

schedules = Schedules("idle")


async def nothing(run):
    pass


for number in range({schedules}):
    schedules.cron("0 0 1 1 *", name=f"s{{number}}", timeout="1m")(nothing)
"""
_CPU = {10: 0.3, 1_000: 0.3, 20_000: 0.5}
_MEMORY, _MEMORY_WITH_PAGES = at_most(75), at_most(100)
_SIZES, _QUICK_SIZES = tuple(_CPU), (10, 1_000)
_SETTLING = 15.0
_START_LIMIT = 60.0


@dataclass(slots=True)
class _Idle:
    """One replica that idles, and what was seen of it."""

    database: str
    schedules: int
    url: str
    replica: Running
    waited: float
    """The seconds from its start to being ready."""
    cpu: list[float] = field(default_factory=list)
    commits: list[float] = field(default_factory=list)
    statements: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    has_pages: bool = False


def measure(site: Site) -> list[Figure]:
    """Start the largest alone, once in each round; then let one of each size, on each database, idle at the same time."""
    sizes = site.size(_SIZES, _QUICK_SIZES)
    shown: list[Figure] = []
    with ExitStack() as stack:
        idle: list[_Idle] = []
        for store in site.stores:
            idle += [_start(site, store, schedules, stack) for schedules in sizes[:-1]]
            idle.append(_start(site, store, sizes[0], stack, has_pages=True))
            try:
                largest, figures = _largest(site, store, sizes[-1], stack)
            except BenchmarkError as error:
                site.left_out.append(f"{sizes[-1]:,} schedules on {store.facts.database}: {error}.")
            else:
                idle.append(largest)
                shown += figures
        sleep(site.size(_SETTLING, 1.0))
        seconds = site.size(20, 10)
        for number in range(site.rounds):
            tell(f"{len(idle)} replicas idle for {seconds} s: round {number + 1} of {site.rounds}")
            _look(idle, seconds)
    return [*(figure for one in idle for figure in _figures(one)), *shown]


def _largest(site: Site, store: Store, schedules: int, stack: ExitStack) -> tuple[_Idle, list[Figure]]:
    """Start a replica on a new database in each round, ask for the status, and leave the last one running."""
    waited, asked = [], []
    for _ in range(site.rounds - 1):
        with ExitStack() as trial:
            one = _start(site, store, schedules, trial)
            waited.append(one.waited)
            asked.append(_status(one.url))
    one = _start(site, store, schedules, stack)
    waited.append(one.waited)
    asked.append(_status(one.url))
    database, with_many = store.facts.database, f"with {schedules:,} schedules"
    return one, [
        Figure(f"start to ready, {with_many}", "s", tuple(waited), database, must=at_most(8)),
        Figure(f"`leased status`, {with_many}", "s", tuple(asked), database, must=at_most(1)),
    ]


def _start(site: Site, store: Store, schedules: int, stack: ExitStack, *, has_pages: bool = False) -> _Idle:
    tell(f"a replica with {schedules:,} schedules starts on {store.facts.database}")
    file = site.new_folder() / "idle.py"
    file.write_text(_FILE.format(schedules=schedules), encoding="utf-8")
    url = stack.enter_context(migrated(store))
    reader = stack.enter_context(reading(url))
    began = perf_counter()
    replica = stack.enter_context(running(url, file, *(("--web", "127.0.0.1:0") if has_pages else ())))
    wait_until_ready(reader, replica, limit=_START_LIMIT)
    waited = perf_counter() - began
    return _Idle(store.facts.database, schedules, url, replica, waited, has_pages=has_pages)


def _status(url: str) -> float:
    """Return the seconds that `leased status` takes, the start of its Python included."""
    words = [sys.executable, "-m", "leased", "status"]
    began = perf_counter()
    if subprocess.run(words, env=environment(url), stdout=subprocess.DEVNULL, check=False).returncode:
        raise BenchmarkError("leased status failed")
    return perf_counter() - began


def _look(idle: Sequence[_Idle], seconds: int) -> None:
    """Let some time pass, and add what each replica did in it."""
    before = [(perf_counter(), one.replica.cpu_of_all(), *one.replica.counts.read()) for one in idle]
    sleep(seconds)
    for one, (began, cpu, statements, commits) in zip(idle, before, strict=True):
        passed, (more_statements, more_commits) = perf_counter() - began, one.replica.counts.read()
        one.cpu.append((one.replica.cpu_of_all() - cpu) / passed * 100)
        one.statements.append((more_statements - statements) / passed)
        one.commits.append((more_commits - commits) / passed)
        one.memory.append(resident(one.replica.pid))


def _figures(one: _Idle) -> list[Figure]:
    database, what = one.database, f"{one.schedules:,} schedules"
    if one.has_pages:
        return [Figure(f"{what}, with pages: memory", "MB", tuple(one.memory), database, must=_MEMORY_WITH_PAGES)]
    return [
        Figure(f"{what}: transactions", "/s", tuple(one.commits), database, must=at_most(0.1)),
        Figure(f"{what}: statements", "/s", tuple(one.statements), database),
        Figure(f"{what}: CPU", "%", tuple(one.cpu), database, must=at_most(_CPU[one.schedules])),
        Figure(f"{what}: memory", "MB", tuple(one.memory), database, must=_MEMORY),
    ]


BENCHMARK = Benchmark(
    "idle",
    "Idleness",
    """Replicas with 10, 1,000 and 20,000 schedules, none of which is due for months, all at the same time, for 20 s a round,
beginning 15 s after the last of them was ready. Transactions are the commits that the replica asks its drivers for,
statements all that it sends, heartbeat and looks included. CPU is in percent of one core, memory what is resident of the
replica's process; one more replica, with 10 schedules, has pages. The start is that on a database with empty tables, alone,
from the start of the process, FILE and its 20,000 schedules included; `leased status` is a command of its own, the start of
its Python included.""",
    measure,
    why_not_more="""Most of it is code. On PostgreSQL, Python with asyncio and ssl has 20 MB resident; SQLAlchemy with its asyncio part
adds 21, leased's own code 17, psycopg 9, pydantic 8, structlog with rich 7: that is 82 MB before a database is opened. SQLite
needs neither psycopg nor that asyncio part. The arenas that glibc gives each thread add 9 (`MALLOC_ARENA_MAX=1` takes them
away), statements and connections the rest. Each of 20,000 schedules takes 6 to 7 KB: its definition, its job and its cron
expression as objects.""",
)
