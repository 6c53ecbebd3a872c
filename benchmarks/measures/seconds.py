"""Seconds: 200 schedules that are due each second."""

from datetime import datetime, timedelta
from time import sleep

from sqlalchemy import func, select

from daemon.store.tables import job_run, run

from ..benchmark import Benchmark
from ..figures import Figure, Unit, at_most
from ..progress import tell
from ..replicas.process import running, wait_until_ready
from ..replicas.quantiles import quantile
from ..replicas.reading import Reader, reading
from ..site import Site, migrated
from ..stores import Store

_SCHEDULES = 200
_FILE = """
from daemon import Schedules

schedules = Schedules("seconds")


async def nothing(run):
    pass


for number in range({schedules}):
    schedules.every("1s", name=f"s{{number}}", timeout="1m")(nothing)
"""
_LEAD_IN = 3.0
"""Seconds after the second replica is ready that do not count: the statements of both are compiled then."""


def measure(site: Site) -> list[Figure]:
    """Measure on each database."""
    return [figure for store in site.stores for figure in _on(site, store)]


def _on(site: Site, store: Store) -> list[Figure]:
    seconds = site.size(10, 3)
    schedules = site.size(_SCHEDULES, 20)
    file = site.new_folder() / "seconds.py"
    file.write_text(_FILE.format(schedules=schedules), encoding="utf-8")
    flags = ("--concurrency", "100")
    with migrated(store) as url, reading(url) as reader:
        with running(url, file, *flags) as one, running(url, file, *flags) as other:
            wait_until_ready(reader, one, other)
            sleep(_LEAD_IN)
            begins, cpu = [], []
            for _ in range(site.rounds):
                tell(f"{schedules} schedules of one second on {store.facts.database}, for {seconds} s")
                used = one.cpu() + other.cpu()
                begins.append(reader.now())
                sleep(seconds)
                cpu.append((one.cpu() + other.cpu() - used) / seconds * 100)
            reader.wait(lambda: _over(reader, begins[-1] + timedelta(seconds=seconds)), "the last runs are over")
        windows = [(begin, begin + timedelta(seconds=seconds)) for begin in begins]
        late = [_lateness(reader, *window) for window in windows]
        recorded = [_recorded(reader, *window) for window in windows]
    shown: list[tuple[str, Unit, list[float], float | None]] = [
        ("start after due, p50", "ms", [quantile(one, 0.5) for one in late], 20),
        ("start after due, p99", "ms", [quantile(one, 0.99) for one in late], 100),
        ("instants lost", "", [float(schedules * seconds - number) for number in recorded], 0),
        ("instants skipped", "", [float(number - len(one)) for number, one in zip(recorded, late, strict=True)], None),
        ("CPU of both replicas", "%", cpu, None),
    ]
    return [
        Figure(label, unit, tuple(values), store.facts.database, must=None if limit is None else at_most(limit))
        for label, unit, values, limit in shown
    ]


def _over(reader: Reader, end: datetime) -> bool:
    """Return whether all that was due before ``end`` is over, and what was due after it has begun."""
    left = select(func.count()).where(run.c.scheduled_for < end, run.c.state.in_(("pending", "running")))
    later = select(func.count()).where(run.c.scheduled_for >= end + timedelta(seconds=1), run.c.state == "succeeded")
    return bool(reader.rows(later)[0][0]) and not reader.rows(left)[0][0]


def _lateness(reader: Reader, begin: datetime, end: datetime) -> list[float]:
    """Return the milliseconds by which each instant of this time started late, one for each run."""
    query = select(func.min(job_run.c.started_at), run.c.scheduled_for).join(run, run.c.id == job_run.c.run_id)
    due = query.where(run.c.scheduled_for >= begin, run.c.scheduled_for < end)
    started = reader.rows(due.group_by(run.c.id, run.c.scheduled_for))
    return [(at - due_at).total_seconds() * 1_000 for at, due_at in started]


def _recorded(reader: Reader, begin: datetime, end: datetime) -> int:
    """Return how many instants of this time have a row, or a share in one that stands for several."""
    last = func.coalesce(run.c.last_scheduled_for, run.c.scheduled_for)
    rows = reader.rows(select(run.c.scheduled_for, last).where(run.c.scheduled_for < end, last >= begin))
    return sum(instants_within(begin, end, one, other) for one, other in rows)


def instants_within(begin: datetime, end: datetime, first: datetime, last: datetime) -> int:
    """Return how many of the instants from first to last, a second apart, lie in the time from ``begin`` until ``end``."""
    second = timedelta(seconds=1)
    skipped = max(0, -((first - begin) // second))
    return max(0, min((last - first) // second, -((first - end) // second) - 1) - skipped + 1)


BENCHMARK = Benchmark(
    "seconds",
    "Many schedules each second",
    """200 schedules of one second, all due in the same moment, and two replicas (`leased run --concurrency 100`), for 10 s a
round. The function is async and does nothing. Lateness is the start of the job less the instant, by the database's clock;
a skipped instant is one at which the run before was not over, and a lost one has no row at all.""",
    measure,
    why_not_more="""200 runs that are due in the same moment cost their replica 0.35 ms of CPU each on PostgreSQL, from the plan to the
end, and each replica has half of them: some 35 ms until its last one has begun, beside the server on the same two cores. A single run starts
within 10 ms ([waking](#waking)).""",
)
