"""The time that stopping takes: less than a supervisor gives before it kills (rule 19)."""

import signal

import psycopg
import pytest

from daemon.service.settings import STOP_MARGIN
from daemon.store.notices import channel_of
from tests.support.postgres import plain
from tests.support.proxy import Proxy
from tests.support.replicas import ReplicaProcess, Story
from tests.support.starvation import Starvation
from tests.support.telling import boottime, is_alive
from tests.support.waiting import wait_until

GRACE = KILL_TIME = 1.0
LONGEST = GRACE + KILL_TIME + STOP_MARGIN
LAST_WORDS = 0.5
LOOK = "WITH due AS"
"""The beginning of each tick of a replica's loop."""


def at_work(story: Story, *jobs: str) -> tuple[ReplicaProcess, list[int]]:
    """Return a replica at work on these jobs, and their processes."""
    times = (f"--grace={GRACE:g}s", f"--kill-time={KILL_TIME:g}s")
    replica = story.start("gated.py", *(f"--now={job}" for job in jobs), *times, ttl="60s")
    story.up(replica)
    return replica, [story.event("began", job=job)["pid"] for job in jobs]


def stop(replica: ReplicaProcess, jobs: list[int], starvation: Starvation, longest: float) -> int:
    """Send a replica SIGTERM and return its exit status; its jobs end in their time, and it in ``longest``."""
    sent = boottime()
    replica.send(signal.SIGTERM)
    wait_until(lambda: not any(map(is_alive, jobs)), "the jobs have ended")
    starvation.assert_within(GRACE + KILL_TIME + LAST_WORDS, sent, boottime(), "the jobs have ended")
    status = replica.wait()
    starvation.assert_within(longest, sent, boottime(), "the replica has ended")
    return status


def test_a_job_that_ignores_sigterm_and_one_that_runs_for_long_do_not_hold_up_the_end(
    story: Story, starvation: Starvation
) -> None:
    replica, jobs = at_work(story, "deaf", "one")
    assert stop(replica, jobs, starvation, LONGEST) == 143
    assert sorted(story.attempts()) == [("deaf", 1, "stopped"), ("one", 1, "stopped")]
    assert [(run.state, run.reason, run.abandoned) for run in story.runs()] == [("pending", "drained", 0)] * 2


@pytest.mark.parametrize("at_work_on", [("deaf", "one"), ()], ids=["at work", "idle"])
@pytest.mark.extended
def test_a_database_that_does_not_answer_does_not_hold_up_the_end_either(
    at_work_on: tuple[str, ...], proxied_story: Story, proxy: Proxy, postgres_url: str, starvation: Starvation
) -> None:
    """Its runs could not be handed back: they go on once their leases are stale. Its loop waits for an answer then."""
    replica, jobs = at_work(proxied_story, *at_work_on)
    proxy.swallow_answer_to(LOOK)
    with psycopg.connect(plain(postgres_url)) as connection:
        connection.execute("SELECT pg_notify(%s, 'work')", [channel_of("gated")])
    wait_until(lambda: proxy.deaf, "its loop waits for an answer")
    proxy.blackhole()
    assert stop(replica, jobs, starvation, LONGEST + LAST_WORDS) == 1
    proxy.heal()
