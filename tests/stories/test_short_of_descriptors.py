"""A replica that may open too few files for all its children: what fits goes on, and nothing fails (rule 25)."""

import fcntl
import os
import resource
import sys

import pytest
from sqlalchemy import func, select

from daemon.jobs.processes.spawn import LEFT_OVER, OF_CHILD
from daemon.service.outside.descriptors import OF_REPLICA
from daemon.store.tables import run
from tests.support.replicas import ReplicaProcess, Story
from tests.support.waiting import wait_until

COUNT = int(os.environ.get("LEASED_TEST_CHILDREN", "8"))
"""How many children at once; `make proof NAME=shortages` has 250, under a limit of 1,024."""
LIMIT = max(60.0, 0.5 * COUNT)
NEEDED = OF_CHILD * COUNT + OF_REPLICA

FILE = """
from daemon import Schedules

schedules = Schedules("shop")
schedules.add("waits", every="1000d", overlap="allow").command("job", ["flock", "-s", {gate!r}, "true"], timeout="1h")
"""


def limit(replica: ReplicaProcess, descriptors: int) -> None:
    """Let the replica open no more than so many, from now on."""
    resource.prlimit(replica.pid, resource.RLIMIT_NOFILE, (descriptors, 20_000))


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of another process")
@pytest.mark.timeout(4 * LIMIT)
@pytest.mark.extended
def test_what_fits_goes_on_and_no_run_fails_although_the_others_cannot_be_begun(story: Story) -> None:
    """Before, each child beyond the limit was a failed attempt: 69 of 250 at 1,024 descriptors."""
    gate = story.folder / "gate"
    file = story.write_file("shop.py", FILE.format(gate=str(gate)))
    with gate.open("w") as closed:
        fcntl.flock(closed, fcntl.LOCK_EX)
        replica = story.start(file, f"--concurrency={COUNT}", ttl="60s")
        story.up(replica)
        own = len(os.listdir(f"/proc/{replica.pid}/fd"))  # noqa: PTH208 - names are enough
        limit(replica, own + LEFT_OVER + OF_CHILD * COUNT // 2)
        ids = [story.trigger("waits") for _ in range(COUNT)]
        wait_until(lambda: replica.said("job no room"), "the replica is short of descriptors", limit=LIMIT)
        wait_until(lambda: 0 < story.at_work() < COUNT, "those that fit are at work", limit=LIMIT)

        limit(replica, max(NEEDED, 1_024) if COUNT == 250 else NEEDED)
        wait_until(lambda: story.at_work() == COUNT, "all are at work at once", limit=LIMIT)

    over = select(func.count()).select_from(run).where(run.c.state.not_in(("pending", "running")))
    wait_until(lambda: story.rows(over)[0][0] == COUNT, "all runs are over", limit=LIMIT)
    assert {(one.id, one.state, one.abandoned) for one in story.runs()} == {(run_id, "succeeded", 0) for run_id in ids}
    attempts = story.job_runs()
    assert {one.state for one in attempts} == {"stopped", "succeeded"}
    (error,) = {one.error for one in attempts if one.state == "stopped"}
    assert (
        f"out of file descriptors, so the job was not started and no attempt was used; count them with `ls /proc/{replica.pid}/fd"
        in error
    )
    assert len(attempts) < 3 * COUNT, "it is not tried again and again"
