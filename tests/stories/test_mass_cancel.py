"""A crowd of runs behind a full lock: other schedules stay punctual, and all of it is cancelled at once (rule 23)."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import insert, select, text

from daemon.store.tables import run
from tests.support.replicas import Event, ReplicaProcess, Story
from tests.support.starvation import Starvation
from tests.support.telling import boottime
from tests.support.waiting import wait_until

COUNT = int(os.environ.get("LEASED_TEST_CROWD", "3000"))
"""How many wait; `make proof NAME=mass-cancel` has 20,000."""
LIMIT = 60.0 + COUNT / 100
BEATS = 5
"""The runs of the other schedule that are looked at while the crowd waits."""
LOOK = 0.5
"""Seconds between two looks of the heartbeat, when it does not stall."""
PUNCTUAL = 2.0
"""Seconds within which a run starts that is due."""


@contextmanager
def watched(replica: ReplicaProcess) -> Iterator[list[float]]:
    """Ask the replica all the time during the block for how long its heartbeat has not run."""
    ages, over = list[float](), threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            ages.append(replica.livez()["loops"]["heartbeat"]["seconds"])

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield ages
    finally:
        over.set()
        thread.join()


@pytest.mark.timeout(5 * LIMIT)
@pytest.mark.proof
def test_a_crowd_behind_a_full_lock_is_cancelled_at_once_and_delays_no_other_schedule(
    story: Story, starvation: Starvation
) -> None:
    without_statistics(story)
    options = ("--concurrency=10", "--renew-every=1s")
    replica = story.start("crowd.py", *options, ttl="60s", environment={"STORY_PATIENCE": "900"}, web=True)
    story.up()
    first = story.trigger("crowd")
    story.trigger("crowd")
    wait_until(lambda: len(story.events("began")) == 2, "both slots are taken", limit=LIMIT)
    joined = boottime()
    join(story, first)

    beats = beats_after(story, joined, BEATS)
    began = boottime()
    with watched(replica) as ages:
        cancelled = story.told("cancel", "--schedule=crowd", "--yes", "--by=bob")
        took = boottime() - began
        wait_until(lambda: not story.unfinished("crowd"), "all are over", limit=LIMIT)
    outcomes = [one["outcome"] for one in cancelled["items"]]
    assert (outcomes.count("ended"), outcomes.count("marked")) == (COUNT, 2)
    beats += [beat for beat in beats_after(story, began, BEATS) if beat not in beats]

    for beat in beats:
        due = beat["at"] - (beat["wall"] - beat["scheduled_for"])
        starvation.assert_within(PUNCTUAL, due, beat["at"], f"run {beat['run']} of pulse has begun")
    assert any(ages)
    latest = max(beat["wall"] - beat["scheduled_for"] for beat in beats)
    kind = "PostgreSQL" if story.url.startswith("postgresql") else "SQLite"
    sys.stdout.write(
        f"{kind}: {COUNT:,} runs cancelled in {took:.1f} s; runs beside them at most {latest:.2f} s late; "
        f"the heartbeat stalled for {max(0.0, max(ages) - LOOK):.2f} s at most\n"
    )
    assert {row.state for row in story.runs("crowd")} == {"cancelled"}


def without_statistics(story: Story) -> None:
    """Keep PostgreSQL from looking at the tables meanwhile: it plans as it does just after the crowd has come."""
    if story.url.startswith("postgresql"):
        with story.engine.begin() as connection:
            for table in ("run", "job_run", "schedule", "lease"):
                connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = false)"))


def join(story: Story, like: int) -> None:
    """Add the crowd: runs as the first one was when it was requested."""
    with story.engine.begin() as connection:
        (row,) = connection.execute(select(run).where(run.c.id == like))
        fresh = {"state": "pending", "attempt": 0, "claimed_attempt": None, "token": None, "holder": None}
        one = {**{name: value for name, value in row._mapping.items() if name != "id"}, **fresh, "started_at": None}
        for start in range(0, COUNT, 1000):
            connection.execute(insert(run), [one] * min(1000, COUNT - start))


def beats_after(story: Story, moment: float, number: int) -> list[Event]:
    """Wait until the other schedule has had so many runs since then, and return them."""

    def beats() -> list[Event]:
        return [beat for beat in story.events("pulse") if beat["at"] > moment + 1.0]

    wait_until(lambda: len(beats()) >= number, f"{number} runs of pulse have begun", limit=LIMIT)
    return beats()
