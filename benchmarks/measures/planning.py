"""Planning: 1,000 schedules that are due in the same second."""

from datetime import UTC, datetime, timedelta
from time import sleep

from sqlalchemy import func, select

from daemon.store.tables import job_run, run

from ..benchmark import Benchmark
from ..errors import BenchmarkError
from ..figures import Figure, Unit, at_most
from ..progress import tell
from ..replicas.process import running, wait_until_ready
from ..replicas.reading import Reader, reading
from ..site import Site, migrated
from ..stores import Store

_SCHEDULES = 1_000
_PERIOD = 10
"""Seconds between two instants."""
_FILE = """
from daemon import Schedules

schedules = Schedules("planning")


async def nothing(run):
    pass


for number in range({schedules}):
    schedules.cron("*/{period} * * * * *", name=f"s{{number}}", timeout="1m")(nothing)
"""


def measure(site: Site) -> list[Figure]:
    """Measure on each database."""
    return [figure for store in site.stores for figure in _on(site, store)]


def _on(site: Site, store: Store) -> list[Figure]:
    schedules = site.size(_SCHEDULES, 100)
    file = site.new_folder() / "planning.py"
    file.write_text(_FILE.format(schedules=schedules, period=_PERIOD), encoding="utf-8")
    flags = ("--concurrency", "100")
    with migrated(store) as url, reading(url) as reader:
        with running(url, file, *flags) as one, running(url, file, *flags) as other:
            wait_until_ready(reader, one, other)
            first = _next(reader.now())
            instants = [first + timedelta(seconds=_PERIOD) * number for number in range(1, site.rounds + 1)]
            tell(f"{schedules} schedules due at once on {store.facts.database}, {site.rounds} times")
            sleep((instants[-1] - reader.now()).total_seconds())
            reader.wait(lambda: _ended(reader, instants[-1]) == schedules, "all runs are over", look=0.1)
        rounds = [_times(reader, due, schedules) for due in instants]
    shown: list[tuple[str, Unit, int, float]] = [("all planned", "s", 0, 0.5), ("all started", "s", 1, 2.0)]
    return [
        Figure(label, unit, tuple(one[index] for one in rounds), store.facts.database, must=at_most(limit))
        for label, unit, index, limit in shown
    ]


def _next(at: datetime) -> datetime:
    """Return the next instant."""
    return datetime.fromtimestamp((at.timestamp() // _PERIOD + 1) * _PERIOD, UTC)


def _ended(reader: Reader, due: datetime) -> int:
    ended = run.c.finished_at.is_not(None)
    return int(reader.rows(select(func.count()).where(run.c.scheduled_for == due, ended))[0][0])


def _times(reader: Reader, due: datetime, schedules: int) -> tuple[float, float]:
    """Return the seconds until all were planned and all started. Raises `BenchmarkError` if one did not."""
    query = select(func.count(), func.max(run.c.created_at), func.max(job_run.c.started_at))
    joined = query.select_from(run.join(job_run, job_run.c.run_id == run.c.id))
    ((started, planned, last),) = reader.rows(joined.where(run.c.scheduled_for == due))
    if started != schedules:
        raise BenchmarkError(f"{schedules} schedules were due at once, and {started} jobs started")
    return max(0.0, (planned - due).total_seconds()), (last - due).total_seconds()


BENCHMARK = Benchmark(
    "planning",
    "Many schedules at once",
    """1,000 schedules of cron are due at the same instants, 10 s apart, and two replicas (`leased run --concurrency 100`) are
idle before each; the first does not count. The function is async and does nothing. Counted from the instant: until the last of the 1,000 runs stands in the
database, and until the last job has started, by the database's clock.""",
    measure,
)
