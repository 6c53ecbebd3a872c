"""Jobs that take longer than a lease lives: they keep it, and what is due meanwhile is accounted for (rules 8, 13 and 14)."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Row, select

from lease.schema import lease
from tests.support.replicas import Story
from tests.support.waiting import wait_until

JOBS = [f"table-{number:02}" for number in range(1, 21)]


def starting_in(seconds: float) -> datetime:
    """An instant for `starts`, to the millisecond, as definitions keep it."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def settings(length: float, every: float, starts: datetime) -> dict[str, str]:
    return {"STORY_LENGTH": str(length), "STORY_EVERY": str(every), "STORY_STARTS": starts.isoformat()}


def assert_each_instant_has_one_run(runs: list[Row[Any]], starts: datetime, every: float) -> None:
    """From the first one that a replica was there for, without a gap, none twice (rule 13)."""
    first = runs[0].scheduled_for
    assert (first - starts) % timedelta(seconds=every) == timedelta(0)
    assert [run.scheduled_for for run in runs] == [
        first + timedelta(seconds=every * number) for number in range(len(runs))
    ]
    assert {(run._mapping["count"], run.trigger) for run in runs} == {(1, "schedule")}


@pytest.mark.slow
def test_a_job_of_ten_ttls_runs_once_on_three_replicas_and_instants_meanwhile_are_skipped(
    postgres_story: Story,
) -> None:
    story, starts = postgres_story, starting_in(1)
    for _ in range(3):
        story.start("long.py", environment=settings(15, 1, starts), ttl="1.5s")
    story.up()
    began = story.event("began")
    ended = story.event("ended", limit=20)
    wait_until(lambda: story.runs("long")[0].state == "succeeded", "the run is over")

    assert ended["at"] - began["at"] > 10 * 1.5
    runs = story.runs("long")
    assert_each_instant_has_one_run(runs, starts, 1)
    meanwhile = [run for run in runs[1:] if run.scheduled_for.timestamp() < ended["wall"] - 0.5]
    assert len(meanwhile) >= 13
    assert {(run.state, run.reason) for run in meanwhile} == {("skipped", "overlap")}
    assert story.events("began", scheduled_for=began["scheduled_for"]) == [began]
    (attempt,) = [one for one in story.job_runs("long") if one.run_id == runs[0].id]
    assert (attempt.token, attempt.attempt, attempt.state) == (1, 1, "succeeded")
    assert (runs[0].token, runs[0].attempt) == (1, 1)
    assert not any(replica.said("lease lost") for replica in story.replicas)


def assert_a_sync_is_told_whole(story: Story, run: Row[Any]) -> None:
    """Its 20 jobs, in their order, each once, one after the other."""
    attempts = [one for one in story.job_runs("sync") if one.run_id == run.id]
    assert [(one.job, one.attempt, one.state) for one in attempts] == [(job, 1, "succeeded") for job in JOBS]
    assert {one.token for one in attempts} == {run.token}
    told = [(one["what"], one["job"]) for one in story.events(run=run.id)]
    assert told == [(what, job) for job in JOBS for what in ("began", "ended")]


def assert_tokens_count_the_grants(story: Story, ran: list[Row[Any]]) -> None:
    """Each run had one grant, and no other was ever made."""
    tokens = [run.token for run in ran]
    assert all(earlier < later for earlier, later in pairwise(tokens))
    (token,) = story.rows(select(lease.c.token).where(lease.c.name == ran[0].lease_name))
    assert token == (len(ran),)


def test_a_sync_of_20_jobs_that_takes_30_minutes_with_a_poll_each_hour(story: Story) -> None:
    """On a scale of 1 to 600: 3 seconds, and a poll each 6."""
    starts = starting_in(1)
    for _ in range(2):
        story.start("sync.py", environment=settings(3, 6, starts))
    second = story.over("sync", number=2, limit=25)

    runs = story.runs("sync")
    assert_each_instant_has_one_run(runs, starts, 6)
    assert [run.state for run in runs] == ["succeeded", "succeeded"]
    assert runs[1].id == second.id
    for run in runs:
        assert run.attempt == 1
        assert_a_sync_is_told_whole(story, run)
    assert_tokens_count_the_grants(story, runs)


def test_a_sync_of_20_jobs_that_takes_70_minutes_with_a_poll_each_hour(story: Story) -> None:
    """On a scale of 1 to 600: 7 seconds, and a poll each 6: every other one finds it at work."""
    starts = starting_in(1)
    for _ in range(2):
        story.start("sync.py", environment=settings(7, 6, starts))
    first = story.over("sync", limit=30)
    third = story.event("began", job=JOBS[0], number=2, limit=15)

    runs = story.runs("sync")
    assert_each_instant_has_one_run(runs, starts, 6)
    assert [(run.state, run.reason) for run in runs] == [
        ("succeeded", None),
        ("skipped", "overlap"),
        ("running", None),
    ]
    assert third["run"] == runs[2].id
    assert [run.attempt for run in runs] == [1, 0, 1]
    assert_a_sync_is_told_whole(story, first)
    assert_tokens_count_the_grants(story, [runs[0], runs[2]])
