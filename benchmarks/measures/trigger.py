"""Waking: how long after a trigger, at a random moment, an idle replica starts the run."""

import random
import time

from sqlalchemy import select

from daemon.store.tables import job_run, run

from ..benchmark import Benchmark
from ..figures import Figure, at_most
from ..replicas.process import running, wait_until_ready
from ..replicas.quantiles import quantile
from ..replicas.reading import Reader, reading
from ..site import Site, migrated
from ..stores import Store

_FILE = """
from daemon import Schedules

schedules = Schedules("waking")


@schedules.every("1000h", name="idle", timeout="1m")
async def nothing(run):
    pass
"""


def measure(site: Site) -> list[Figure]:
    """Measure on each database."""
    return [figure for store in site.stores for figure in _on(site, store)]


def _on(site: Site, store: Store) -> list[Figure]:
    file = site.new_folder() / "waking.py"
    file.write_text(_FILE, encoding="utf-8")
    with migrated(store) as url, reading(url) as reader, running(url, file) as replica:
        wait_until_ready(reader, replica)
        _wait(reader)  # the first, which opens what later ones find open
        rounds = site.in_rounds(
            lambda _: [_wait(reader) for _ in range(site.size(50, 5))], f"triggers on {store.facts.database}"
        )
    database = store.facts.database
    p50, p99 = (tuple(quantile(waits, share) for waits in rounds) for share in (0.5, 0.99))
    return [
        Figure("trigger to start, p50", "ms", p50, database, must=at_most(15)),
        Figure("trigger to start, p99", "ms", p99, database, must=at_most(50)),
    ]


def _wait(reader: Reader) -> float:
    """Trigger a run at a random moment, and return the milliseconds until its job started."""
    time.sleep(random.uniform(0.05, 0.3))
    run_id = reader.trigger("waking", "idle")
    reader.wait_for_success(run_id)
    query = select(job_run.c.started_at, run.c.created_at).join(run, run.c.id == job_run.c.run_id)
    ((started_at, created_at),) = reader.rows(query.where(run.c.id == run_id))
    return float((started_at - created_at).total_seconds() * 1_000)


BENCHMARK = Benchmark(
    "trigger",
    "Waking",
    """A run is triggered at random moments while a replica is idle. The time is that from the trigger's row to the start of
its job, both by the database's clock. 50 triggers a round, so that its p99 is the longest of them.""",
    measure,
)
