"""A log that nobody reads: the pipe is full, and a write to it never returns."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select

from daemon.store.tables import run
from tests.support.starter import ROOT
from tests.support.waiting import LIMIT, wait_until

FILE = """
application = "shop"

[schedules.loud]
every = "1h"
jobs = [{ name = "speak", command = "i=0; while [ $i -lt 3000 ]; do echo $i says quite a lot, again and again; i=$((i+1)); done" }]

[schedules.quiet]
every = "1h"
jobs = [{ name = "work", command = "true" }]
"""


@pytest.mark.extended
def test_it_stops_no_run_and_the_replica_ends_as_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(FILE)
    url = f"sqlite:///{tmp_path / 'leased.db'}"
    command = [sys.executable, "-P", "-m", "leased", "run", "shop.toml", "--no-web", "--database", url]
    nobody, pipe = os.pipe()
    replica = subprocess.Popen(
        [*command, "--log-level", "debug", "--now", "loud", "--now", "quiet"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=pipe,
    )
    os.close(pipe)
    try:
        engine = create_engine(url)
        wait_until((tmp_path / "leased.db").exists, "the database is there")

        def states() -> set[str]:
            try:
                with engine.connect() as connection:
                    return set(connection.scalars(select(run.c.state)))
            except Exception:  # noqa: BLE001 - the tables are being made
                return set()

        wait_until(lambda: states() == {"succeeded"}, "both runs have succeeded")
        engine.dispose()
        replica.send_signal(signal.SIGTERM)
        assert replica.wait(LIMIT) == 143
    finally:
        replica.kill()
        replica.wait()
        os.close(nobody)
