"""A replica with many jobs at once that do nothing but wait: what they cost, and that they make nothing late."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from daemon.jobs.processes.process_tree import descendants
from daemon.jobs.processes.spawn import OF_CHILD
from daemon.store.tables import run
from lease.schema import lease
from tests.support.replicas import Story
from tests.support.waiting import wait_until

COUNT = int(os.environ.get("LEASED_TEST_SLEEPERS", "10"))
"""The number of jobs of each kind at once; `make proof NAME=sleepers` has 500."""
LIMIT = max(60.0, 0.3 * COUNT)
KINDS = ("command", "function", "thread", "task")
PROCESSES = {"command": 2, "function": 2, "thread": 0, "task": 0}
"""Of each job: its own, and its keeper's."""
MEMORY = {"command": 3.0, "function": 10.0, "thread": 0.0, "task": 0.0}
"""Megabytes of each job that no other process shares, its keeper's included; measured: 1.8 and 4.0."""
OF_THE_REPLICA = 0.1
"""Megabytes that a job costs its replica; measured: 0.03 to 0.04."""
AT_FIRST = 12.0
"""Megabytes that its first jobs of a kind cost it, for threads and modules."""
SPARE = 20
"""Descriptors that it may open meanwhile for itself: a connection to SQLite has three."""
LATEST = 5.0
"""Seconds after which a job begins beside the others, at most; measured: some hundredths of one."""

FILE = """
import asyncio
import fcntl
import os
import time

from daemon import AsyncRun, Run, Schedules

GATE = {gate!r}
CLOSED = GATE + ".closed"
schedules = Schedules("shop")
settings = {{"overlap": "allow", "timeout": "1h"}}
schedules.add("command", every="1000d", overlap="allow").command("job", ["flock", "-s", GATE, "true"], timeout="1h")
schedules.add("quick", every="1000d").command("job", "true", timeout="1h")


@schedules.every("1000d", **settings)
def function(run: Run) -> None:
    with open(GATE) as gate:
        fcntl.flock(gate, fcntl.LOCK_SH)


@schedules.every("1000d", isolation="thread", **settings)
def thread(run: Run) -> None:
    while os.path.exists(CLOSED):
        time.sleep(1.0)


@schedules.every("1000d", isolation="task", **settings)
async def task(run: AsyncRun) -> None:
    while os.path.exists(CLOSED):
        await asyncio.sleep(1.0)
"""


@contextmanager
def closed_gate(folder: Path) -> Iterator[None]:
    """Let no job through."""
    closed = folder / "gate.closed"
    closed.touch()
    with (folder / "gate").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield
    closed.unlink()


def of_its_own(pid: int) -> float:
    """Return the megabytes of a process that no other shares."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    sizes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return (sizes["Private_Dirty"] + sizes["Private_Clean"]) / 1024


def descriptors_of(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names are enough


def renewed_together(story: Story) -> bool:
    """Return whether the leases of all have been renewed since they were granted, and within half a second."""
    rows = story.rows(select(lease.c.granted_at, lease.c.renewed_at).where(lease.c.holder.is_not(None)))
    latest, first = max(row.renewed_at for row in rows), min(row.renewed_at for row in rows)
    return all(row.renewed_at > row.granted_at for row in rows) and latest - first < timedelta(seconds=0.5)


def quick(story: Story) -> float:
    """Run a job at once, beside the others; return after how many seconds it began."""
    run_id = story.trigger("quick")
    this = select(run.c.state, run.c.available_at, run.c.started_at).where(run.c.id == run_id)
    wait_until(lambda: story.rows(this)[0].state == "succeeded", "a job beside them", limit=LIMIT)
    (row,) = story.rows(this)
    seconds: float = (row.started_at - row.available_at).total_seconds()
    return seconds


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.timeout(4 * LIMIT)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.proof
def test_many_jobs_that_wait_cost_what_was_computed_and_make_nothing_late(story: Story, kind: str) -> None:
    file = story.write_file("shop.py", FILE.format(gate=str(story.folder / "gate")))
    replica = story.start(file, f"--concurrency={COUNT + 1}", ttl="15s")
    story.up(replica)
    quick(story)  # so that the templates have loaded FILE
    memory, descriptors, before = of_its_own(replica.pid), descriptors_of(replica.pid), set(descendants(replica.pid))

    with closed_gate(story.folder):
        ids = [story.trigger(kind) for _ in range(COUNT)]
        wait_until(lambda: story.at_work() == COUNT, "all are at work at once", limit=LIMIT)
        wait_until(lambda: renewed_together(story), "one statement renews them all", limit=LIMIT)

        started = set(descendants(replica.pid)) - before
        assert len(started) == PROCESSES[kind] * COUNT
        assert descriptors_of(replica.pid) <= descriptors + OF_CHILD * (PROCESSES[kind] // 2) * COUNT + SPARE
        assert of_its_own(replica.pid) <= memory + OF_THE_REPLICA * COUNT + AT_FIRST
        assert sum(map(of_its_own, started)) <= MEMORY[kind] * COUNT
        assert quick(story) < LATEST

    over = select(func.count()).select_from(run).where(run.c.id.in_(ids), run.c.state == "succeeded")
    wait_until(lambda: story.rows(over)[0][0] == COUNT, "all have succeeded", limit=LIMIT)
    assert {one.attempt for one in story.job_runs()} == {1}
    said = replica.output
    assert [word for word in ("at risk", "lease lost", "blocking the event loop") if word in said] == []
