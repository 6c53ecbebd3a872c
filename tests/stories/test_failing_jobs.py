"""Jobs that hang, or take their replica with them (rules 16 and 20)."""

import os

import pytest

from tests.support.replicas import Story
from tests.support.telling import is_alive


def test_a_timeout_kills_the_whole_tree_and_the_job_is_tried_again_after_its_backoff(story: Story) -> None:
    replica = story.start("failing.py", "--now=slow", "--until-idle")
    story.open("slow-2")
    assert replica.wait() == 0
    assert story.attempts() == [("slow", 1, "failed"), ("slow", 2, "succeeded")]
    first, second = story.job_runs()
    assert first.error == "the job exceeded its timeout of 2s"
    # Its timeout and its backoff, which counts from within the transaction that records the end.
    assert (second.started_at - first.started_at).total_seconds() >= 2.0 + 0.4
    assert [one["token"] for one in story.events("began")] == [1, 2]  # the wait held no lease
    for spawned in story.events("spawned"):
        assert not is_alive(spawned["pid"])
        assert not is_alive(spawned["child"])


@pytest.mark.extended
def test_a_job_that_kills_its_replica_each_time_fails_alone_among_neighbours_that_were_at_work_each_time(
    postgres_story: Story,
) -> None:
    """Rule 16. `make proof NAME=killers` has fifty neighbours of each kind."""
    story, neighbours = postgres_story, int(os.environ.get("LEASED_NEIGHBOURS", "2"))
    names = [f"{kind}-{number}" for kind in ("task", "process", "command") for number in range(neighbours)]
    environment = {"STORY_NEIGHBOURS": str(neighbours)}
    places = f"--concurrency={len(names) + 1}"
    now = [f"--now={name}" for name in ("killer", *names)]
    for options in (now, []):
        assert story.start("killer.py", places, *options, environment=environment).wait() == -9
    story.open("gate")  # some of them may have their turn before the killer
    assert story.start("killer.py", places, environment=environment).wait() == -9
    story.start("killer.py", places, environment=environment)
    run = story.over("killer")
    assert (run.state, run.abandoned) == ("failed", 3)
    for name in names:
        run = story.over(name)
        assert (run.state, run.abandoned) == ("succeeded", 2), name
    attempts = {one.schedule for one in story.job_runs() if one.attempt == 2 and one.state == "abandoned"}
    assert attempts == {"killer", *names}, "all were at work when the replica died again"
