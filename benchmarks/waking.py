"""Waking: how long after a trigger, at a random moment, an idle replica starts the run.

    python -m benchmarks.waking [--only sqlite|postgresql] [--triggers N]

The time is that from the trigger's row to the start of its job, both by the database's clock.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Select, create_engine, select

from daemon.operations.trigger import trigger
from daemon.store.tables import job_run, replica, run
from tests.support.binaries import binaries
from tests.support.databases import DEFAULT_VERSION, make_tables
from tests.support.postgres import PostgresServer

from .opening import DATABASES

_FILE = """
from daemon import Schedules

schedules = Schedules("waking")


@schedules.add("idle", cron="0 0 1 1 *").job(timeout="1m", isolation="task")
async def nothing(run):
    pass
"""
_LOOK = 0.01


def main() -> None:
    """Measure, and print a line for each database."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waking", allow_abbrev=False)
    parser.add_argument("--only", choices=DATABASES, help="this database alone")
    parser.add_argument("--triggers", type=int, default=200, metavar="N", help="how many (200)")
    given = parser.parse_args()
    for name in (given.only,) if given.only else DATABASES:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leased-bench-")))
            url = f"sqlite:///{folder}/leased.db"
            if name != "sqlite":
                programs = binaries(DEFAULT_VERSION)
                stack.callback(programs.remove)
                url = stack.enter_context(PostgresServer(programs, durable=True)).url()
            make_tables(url)
            engine = create_engine(url)
            stack.callback(engine.dispose)
            stack.enter_context(_replica(url, folder, engine))
            waits = sorted(_wait(engine) for _ in range(given.triggers))
        p50, p99 = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
        print(f"{name}: trigger to start p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {waits[-1]:.1f} ms")


@contextmanager
def _replica(url: str, folder: Path, engine: Engine) -> Iterator[None]:
    file = folder / "waking.py"
    file.write_text(_FILE)
    command = [sys.executable, "-m", "leased", "run", "--no-web", str(file)]
    environment = {**os.environ, "LEASED_DATABASE_URL": url}
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            while not _rows(engine, select(replica.c.ready_at).where(replica.c.ready_at.is_not(None))):
                time.sleep(_LOOK)
            yield
        finally:
            process.terminate()


def _wait(engine: Engine) -> float:
    time.sleep(random.uniform(0.05, 0.3))
    with engine.begin() as connection:
        run_id = trigger(connection, "waking", "idle", requested_by="benchmark")
    query = select(job_run.c.started_at, run.c.created_at).join(run, run.c.id == job_run.c.run_id)
    while not (found := _rows(engine, query.where(run.c.id == run_id, run.c.state == "succeeded"))):
        time.sleep(_LOOK)
    ((started_at, created_at),) = found
    return float((started_at - created_at).total_seconds() * 1000)


def _rows(engine: Engine, query: Select[Any]) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


if __name__ == "__main__":
    main()
