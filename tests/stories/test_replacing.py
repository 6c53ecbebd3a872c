"""`overlap = "replace"` on three replicas: never two at once, and the newest always runs (rules 13, 14 and 23)."""

import os
import sys
from itertools import groupby
from typing import Any

import pytest
from sqlalchemy import Row, func, select, update

from daemon.store.tables import run, schedule
from lease.database.dialects import now
from tests.support.replicas import Event, Story
from tests.support.waiting import wait_until

COUNT = int(os.environ.get("LEASED_TEST_REPLACES") or "12")
"""How many runs at work are replaced; `make proof NAME=replaces` has 1,000."""
EACH = 1 if COUNT < 100 else 3
KINDS = ("task", "process", "command")
NAMES = [f"{kind}-{number}" for kind in KINDS for number in range(EACH)]
LIMIT = 120.0 + 2 * COUNT


@pytest.mark.timeout(2 * LIMIT + 60)
@pytest.mark.proof
def test_of_runs_that_replace_each_other_there_are_never_two_at_work_and_the_newest_has_run(story: Story) -> None:
    environment = {"STORY_EACH": str(EACH), "STORY_PATIENCE": str(2 * LIMIT)}
    for _ in range(3):
        story.start("replacing.py", "--kill-time=1s", "--concurrency=20", ttl="10s", environment=environment)
    story.up()
    wait_until(lambda: replaced_at_work(story) >= COUNT, f"{COUNT} runs at work are replaced", limit=LIMIT)

    story.write(update(schedule).values(paused_at=now()))
    wait_until(lambda: newest_at_work(story), "the newest run of each schedule is at work, and no other", limit=LIMIT)
    story.open("done")
    wait_until(lambda: not story.unfinished(), "all are over", limit=LIMIT)

    for name in NAMES:
        assert_the_newest_won([one for one in story.runs(name) if one.reason != "paused"])
        assert_one_at_a_time(story.events(schedule=name))
    story.output("audit")
    show(story)


def assert_the_newest_won(runs: list[Row[Any]]) -> None:
    """Each run was replaced by one that is newer, or could not start in time, but for the newest, which has succeeded."""
    *older, newest = runs
    assert (newest.state, newest.cancelled_at) == ("succeeded", None)
    instants = {one.id: one.scheduled_for for one in runs}
    for one in older:
        if one.reason == "missed":
            continue
        assert one.state == "cancelled" or (one.state, one.reason) == ("skipped", "replaced"), one
        assert one.overlapped is None or instants[one.overlapped] > one.scheduled_for
        assert one.state == "skipped" or f"replaced by run {one.overlapped}" in one.reason


def assert_one_at_a_time(told: list[Event]) -> None:
    """What one run tells, it tells before the next one tells anything."""
    turns = [number for number, _ in groupby(sorted(told, key=lambda one: one["at"]), key=lambda one: one["run"])]
    assert len(turns) == len(set(turns)), "two are at work at once"


def replaced_at_work(story: Story) -> int:
    """Return how many runs that were at work are over because a newer one replaced them."""
    query = select(func.count()).select_from(run)
    return int(
        story.rows(query.where(run.c.state == "cancelled", run.c.cancelled_by == "leased", run.c.attempt > 0))[0][0]
    )


def newest_at_work(story: Story) -> bool:
    """Return whether the unfinished runs are one of each schedule, at work and not replaced."""
    rows = story.rows(select(run).where(run.c.state.in_(["pending", "running"])))
    at_work = [one for one in rows if one.state == "running" and one.cancelled_at is None]
    told = {one["run"] for one in story.events("began")}
    return len(rows) == len(at_work) == len(NAMES) and all(one.id in told for one in at_work)


def show(story: Story) -> None:
    """Print figures, which `make proof NAME=replaces` shows."""
    rows = [one for one in story.runs() if one.state == "cancelled"]
    at_work = [one for one in rows if one.attempt]
    for kind in KINDS:
        waits = sorted(
            (one.finished_at - one.cancelled_at).total_seconds() for one in at_work if one.schedule.startswith(kind)
        )
        sys.stdout.write(
            f"{len(waits)} runs of a {kind} replaced at work: over {waits[len(waits) // 2]:.2f} s after the mark in the "
            f"median, at most {waits[-1]:.2f} s\n"
        )
    sys.stdout.write(f"{len(rows) - len(at_work)} runs replaced while they waited\n")
