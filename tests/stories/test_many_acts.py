"""Many runs cancelled, and many retried, by two callers at once while three replicas are at work: each once, told, and
undone by nobody (rule 23).
"""

import json
import os
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import func, select

from daemon.operations.trigger import trigger
from daemon.store.tables import run
from tests.support.replicas import Story
from tests.support.waiting import wait_until

COUNT = int(os.environ.get("LEASED_TEST_ACTS", "60"))
"""How many runs; 1,000 are tried by hand."""
LIMIT = 60.0 + COUNT


@pytest.mark.timeout(3 * LIMIT)
@pytest.mark.extended
def test_many_runs_are_cancelled_and_others_retried_once_each_and_nothing_brings_them_back(story: Story) -> None:
    for _ in range(3):
        story.start("acts.py", "--concurrency=10", "--renew-every=1s")
    story.up()

    ids = triggered(story, "hold")
    wait_until(lambda: len(story.events("began")) == min(30, COUNT), "all places are taken", limit=LIMIT)
    told = at_once(story, "cancel", "--schedule=hold")
    done = {one["run_id"]: one["outcome"] for each in told for one in each if one["outcome"] in ("ended", "marked")}
    assert Counter(one["run_id"] for each in told for one in each if one["outcome"] in ("ended", "marked")) == Counter(
        ids
    ), "each once"
    assert {one["outcome"] for each in told for one in each} <= {"ended", "marked", "already"}
    wait_until(lambda: not story.unfinished(), "all are over", limit=LIMIT)
    rows = story.runs("hold")
    assert {(row.state, row.cancelled_at is not None) for row in rows} == {("cancelled", True)}
    assert {row.id for row in rows if row.attempt == 0} == {run_id for run_id, what in done.items() if what == "ended"}

    ids = triggered(story, "pay")
    wait_until(lambda: states(story, "pay") == {"failed": COUNT}, "all have failed", limit=LIMIT)
    story.open("bank")
    told = at_once(story, "retry", "--failed", "--schedule=pay")
    made = {one["retried_as"]: one["run_id"] for each in told for one in each if one["outcome"] == "retried"}
    assert sorted(made.values()) == ids, "each once"
    assert {one["retried_as"] for each in told for one in each} == made.keys(), "both name the same runs"
    wait_until(lambda: states(story, "pay") == {"failed": COUNT, "succeeded": COUNT}, "all are done", limit=LIMIT)
    assert sorted(one["run"] for one in story.events("fetched")) == ids, "what was done is not done again"
    refused = {one["run"]: one["key"] for one in story.events("refused")}
    assert {made[one["run"]]: one["key"] for one in story.events("paid")} == refused, "as the same occurrences"
    assert len(story.events("paid")) == COUNT

    assert [row for row in story.runs("hold") if row not in rows] == [], "undone by nobody"
    story.output("audit")


def triggered(story: Story, schedule: str) -> list[int]:
    with story.engine.begin() as connection:
        return [trigger(connection, "acts", schedule, requested_by="a test") for _ in range(COUNT)]


def at_once(story: Story, *command_line: str) -> list[list[dict[str, Any]]]:
    """Return what two callers are told, each of every run."""
    commands = [story.leased(*command_line, "--yes", "--json", f"--by={who}") for who in ("bob", "eve")]
    assert [one.wait() for one in commands] == [0, 0], [one.output for one in commands]
    return [json.loads(one.output)["items"] for one in commands]


def states(story: Story, schedule: str) -> dict[str, int]:
    query = select(run.c.state, func.count().label("number")).where(run.c.schedule == schedule).group_by(run.c.state)
    return {str(row.state): int(row.number) for row in story.rows(query)}
