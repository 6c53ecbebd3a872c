"""Runs a second: no-op async runs, from the moment they can be seen to the moment all are recorded."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from daemon.operations.trigger import trigger
from daemon.store.tables import run

from ..benchmark import Benchmark
from ..errors import BenchmarkError
from ..figures import Figure, Floor, Must, against, at_least, at_most
from ..peers.floors import PGBENCH, SQLITE3, has_pgbench, pgbench, sqlite3_pairs
from ..peers.trial import Peer, per_second, present
from ..replicas.process import Running, running, wait_until_ready
from ..replicas.reading import Reader, reading
from ..site import Site, migrated
from ..stores import Store

APPLICATION = "runs"
PLACES = (10, 100)
_FILE = """
from daemon import Schedules

schedules = Schedules("runs")


async def nothing(run):
    pass


for number in range({schedules}):
    schedules.every("1000h", name=f"s{{number}}", overlap="queue", timeout="1m")(nothing)
"""
_SCHEDULES = 200
_MUST: dict[tuple[str, int], Must] = {
    ("postgresql", 10): at_least(500),
    ("postgresql", 100): at_least(2_000),
    ("sqlite", 100): at_least(1_000),
}


@dataclass(slots=True)
class _Measured:
    """The results of all rounds at one concurrency."""

    speed: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    statements: list[float] = field(default_factory=list)
    commits: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    peers: dict[str, list[float]] = field(default_factory=dict)


def measure(site: Site) -> list[Figure]:
    """Measure on each database, the peers in the same rounds."""
    peers = present(site.left_out) if site.store("postgresql") else []
    return [figure for store in site.stores for figure in _on(site, store, peers if _is_server(store) else [])]


def _on(site: Site, store: Store, peers: Sequence[Peer]) -> list[Figure]:
    measured = {places: _Measured() for places in PLACES}
    jobs = site.size(2_000, 200)
    with ExitStack() as stack:
        replicas = {places: _idle(site, store, places, stack) for places in PLACES}

        def one_round(_: int) -> None:
            for places, found in measured.items():
                _work_off(*replicas[places], jobs, found)
                if (floor := _floor(site, store, places)) is not None:
                    found.floor.append(floor)
                for peer in peers:
                    if peer.in_batches or places == PLACES[-1]:
                        found.peers.setdefault(peer.name, []).append(per_second(peer, store, jobs, places))

        site.in_rounds(one_round, f"runs on {store.facts.database}")
    return [figure for places, found in measured.items() for figure in _figures(store, places, found)]


def _idle(site: Site, store: Store, places: int, stack: ExitStack) -> tuple[Reader, Running]:
    file = site.new_folder() / "runs.py"
    file.write_text(_FILE.format(schedules=_SCHEDULES), encoding="utf-8")
    url = stack.enter_context(migrated(store))
    reader = stack.enter_context(reading(url))
    replica = stack.enter_context(running(url, file, "--concurrency", str(places)))
    wait_until_ready(reader, replica)
    _work_off(reader, replica, _SCHEDULES, _Measured())  # what is done once, such as compiling statements
    return reader, replica


def _work_off(reader: Reader, replica: Running, jobs: int, found: _Measured) -> None:
    def add(connection: Connection) -> None:
        for number in range(jobs):
            trigger(connection, APPLICATION, f"s{number % _SCHEDULES}", requested_by="benchmark")

    newest = int(reader.rows(select(func.coalesce(func.max(run.c.id), 0)))[0][0])
    (statements, commits), cpu = replica.counts.read(), replica.cpu()
    began = reader.write(add)
    reader.wait_for_ends()
    used, (more_statements, more_commits) = replica.cpu() - cpu, replica.counts.read()
    ours = run.c.id > newest
    ((ended, succeeded),) = reader.rows(
        select(func.max(run.c.finished_at), func.count()).where(ours, run.c.state == "succeeded")
    )
    if succeeded != jobs:
        raise BenchmarkError(f"{succeeded} of {jobs} runs succeeded")
    found.speed.append(jobs / (ended.timestamp() - began))
    found.cpu.append(used / jobs * 1_000)
    found.statements.append((more_statements - statements) / jobs)
    found.commits.append((more_commits - commits) / jobs)


def _floor(site: Site, store: Store, places: int) -> float | None:
    if not _is_server(store):
        return sqlite3_pairs(store, seconds=site.size(2.0, 0.2))
    if not has_pgbench():
        sentence = "pgbench: not installed (on Debian: postgresql-contrib)."
        if sentence not in site.left_out:
            site.left_out.append(sentence)
        return None
    return pgbench(store, site.folder, min(places, 50), seconds=site.size(3, 1))


def _figures(store: Store, places: int, found: _Measured) -> list[Figure]:
    database, many = store.facts.database, places == PLACES[-1]
    name = PGBENCH if _is_server(store) else SQLITE3
    floor = Floor(name, tuple(found.floor)) if found.floor else None
    at = f"at concurrency {places}"
    figures = [
        Figure(f"leased, {at}", "runs/s", tuple(found.speed), database, floor, _MUST.get((database, places))),
        Figure(f"CPU a run, {at}", "ms", tuple(found.cpu), database),
        Figure(f"statements a run, {at}", "", tuple(found.statements), database, must=at_most(0.3) if many else None),
        Figure(f"commits a run, {at}", "", tuple(found.commits), database, must=at_most(0.05) if many else None),
    ]
    for peer, rounds in found.peers.items():
        figures.append(Figure(f"{peer}, {at}", "runs/s", tuple(rounds), database))
        if peer == "pgqueuer":
            ratios = against(tuple(found.speed), tuple(rounds))
            must = at_least(0.25) if many else None
            figures.append(Figure(f"leased against {peer}, {at}", "x", ratios, database, must=must))
    return figures


def _is_server(store: Store) -> bool:
    return store.facts.database == "postgresql"


BENCHMARK = Benchmark(
    "runs",
    "Runs a second",
    """An idle replica (`leased run`) sees 2,000 runs of 200 schedules with one commit. Each is an async function that does
nothing, and has its lease, its token, its history and its fenced end. The time is that from the commit to the end of the
last run, by the database's clock. CPU is that of the replica alone; statements and commits are counted where it hands them
to its drivers, its heartbeat's included.

The floor is two commits that change one row each: `pgbench -M prepared` with as many clients (50 at most), or one
connection of `sqlite3`. pgqueuer (asyncpg, uvloop, drain mode, batches of as many jobs), procrastinate (which fetches jobs
one by one) and APScheduler 4 (asyncpg, events in memory), the latter two at concurrency 100 only, do the same number of
jobs that do nothing, from one process, on the same server, in the same rounds. None of these jobs has a fenced end.""",
    measure,
    ("psycopg", "pgqueuer", "procrastinate", "apscheduler"),
    why_not_more="""With 100 at a time a run costs 0.27 ms of CPU in the replica and 0.2 in the server, so 2,000 a second take about half of
each core. The two mostly take turns: the server writes the ends of one set and claims the next in a transaction, and the replica
executes what came of it. With 10 at a time the same statements are shared by a tenth of the runs. pgqueuer writes one row for a
job, and no lease, no attempt, no history.""",
)
