"""Locks: the lock library beside the statements that it sends, and beside other locks."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..benchmark import Benchmark
from ..figures import Figure, Floor
from ..locks.report import Report
from ..locks.trials import PARTS, QUICK, Size, run
from ..locks.waiters import HandOvers
from ..progress import tell
from ..site import Site
from ..stores import PostgresqlStore

_ROUND = Size(pairs=300, renewals=6, seconds=2.0, waiters=16)
_REDIS = ("redis-py", "python-redis-lock")


def measure(site: Site) -> list[Figure]:
    """Measure all parts in each round, on the databases that there are."""
    server = site.store("postgresql")
    url = server.url if isinstance(server, PostgresqlStore) else None
    kinds = {store.facts.database for store in site.stores}
    parts = [part for part in PARTS if part in kinds or (url and part in {"renewals", "waiters"})]
    reports = []
    for number in range(site.rounds):
        tell(f"locks: round {number + 1} of {site.rounds}")
        reports.append(run(site.size(_ROUND, QUICK), parts, url))
    site.left_out.extend(sorted({f"{report.left_out}." for report in reports if report.left_out}))
    return figures(reports)


@dataclass(slots=True)
class _Line:
    """One contender, over the rounds."""

    title: str
    seconds: list[float]
    yardstick: str | None


def figures(reports: Sequence[Report]) -> list[Figure]:
    """Return what the rounds show."""
    lines: dict[tuple[str, str], _Line] = {}
    for report in reports:
        for title, measured in report.measured.items():
            for one in measured:
                line = lines.setdefault((title, one.name), _Line(title, [], one.yardstick))
                line.seconds.append(one.seconds * 1_000)
    shown = []
    for (title, name), line in lines.items():
        rounds = tuple(line.seconds)
        other = lines.get((title, line.yardstick or ""))
        floor = None if other is None or line.yardstick is None else Floor(line.yardstick, tuple(other.seconds))
        what, _, place = title.rpartition(", ")
        shown.append(Figure(f"{what}: {name}", "ms", rounds, _database(place, name), floor))
    return [*shown, *_hand_overs(reports)]


def _hand_overs(reports: Sequence[Report]) -> list[Figure]:
    trials: dict[tuple[str, int], list[HandOvers]] = {}
    for report in reports:
        for one in report.hand_overs:
            trials.setdefault((one.trial.kind, one.trial.processes), []).append(one)
    shown = []
    for (kind, processes), rounds in trials.items():
        database = _database("postgresql", kind)
        where = "1 process" if processes == 1 else f"{processes} processes"
        label = f"{rounds[0].trial.waiters} waiters in {where}: {kind}"
        turns = f"turns {rounds[-1].fewest} to {rounds[-1].most}"
        overtaken = tuple(one.overtaken * 100 for one in rounds)
        shown += [
            Figure(f"{label}, hand-overs", "/s", tuple(one.per_second for one in rounds), database, note=turns),
            Figure(f"{label}, overtaken", "%", overtaken, database),
        ]
    return shown


def _database(place: str, name: str) -> str:
    if name in _REDIS:
        return "redis"
    return "sqlite" if "sqlite" in place.lower() else "postgresql"


BENCHMARK = Benchmark(
    "locks",
    "Locks",
    """What the lock library costs is told as a ratio to the same statements without it, measured in turns, a few at a time:
one client that acquires and releases one name, against a connection of psycopg in autocommit (prepared) that runs the same
two statements, or of sqlite3 that runs them in `BEGIN IMMEDIATE` and `COMMIT`; and the renewal of 1,000 and of 10,000 leases
of one holder against the bare statement. Then 16 waiters, in 1 process and in 4, each of whom holds the lock for 1 ms and
asks again. A turn is overtaken if it came before that of somebody who had asked at least 10 ms earlier; beside the
hand-overs stand the turns of the waiter with the fewest and of the one with the most, in the last round.

`pg_advisory_lock`, redis-py and python-redis-lock stand beside them. They are other things: none of them has a token that
fences a zombie's writes, and an advisory lock doesn't expire. Redis answers a write once it is on the disk, as PostgreSQL
does. Where nothing stands in the way, callers of leased send the statement themselves
([ADR 48](adr/0048-one-path-through-the-library.md)); the library's thread wakes those that wait.
`python -m benchmarks.locks` shows more.""",
    measure,
    ("psycopg", "redis", "python-redis-lock"),
)
