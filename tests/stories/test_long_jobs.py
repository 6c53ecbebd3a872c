"""A run that takes longer than a lease lives: it keeps it, and what is due meanwhile is accounted for (rules 8, 13 and 14)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Row, func, select

from daemon.store.tables import run as run_table
from lease.schema import lease
from tests.support.replicas import Story
from tests.support.starvation import Starvation, boottime_of

A_MOMENT = timedelta(seconds=1)
"""What was planned so close to the end of a run may have met it or not: both times are those at which a transaction began."""
NEVER = datetime.max.replace(tzinfo=UTC)
EVERY = timedelta(seconds=6)
JOBS = [f"table-{number:02}" for number in range(1, 21)]


def that_ran(runs: list[Row[Any]]) -> list[Row[Any]]:
    """Those that were not skipped: an instant is skipped if the run before it was not over when it was planned, and only then."""
    ran: list[Row[Any]] = []
    for run in runs:
        free_since = (ran[-1].finished_at or NEVER) if ran else run.created_at - 2 * A_MOMENT
        if abs(run.created_at - free_since) > A_MOMENT:
            assert (run.state, run.reason) == ("skipped", "overlap") or run.created_at > free_since
            assert run.state != "skipped" or run.created_at < free_since
        if run.state != "skipped":
            ran.append(run)
    return ran


def assert_a_sync_is_told_whole(story: Story, run: Row[Any]) -> None:
    """Its 20 jobs, in their order, each once, one after the other."""
    attempts = [one for one in story.job_runs("sync") if one.run_id == run.id]
    assert [(one.job, one.attempt, one.state) for one in attempts] == [(job, 1, "succeeded") for job in JOBS]
    assert {one.token for one in attempts} == {run.token}
    told = [(one["what"], one["job"]) for one in story.events(run=run.id)]
    assert told == [(what, job) for job in JOBS for what in ("began", "ended")]


def assert_tokens_count_the_grants(story: Story, ran: list[Row[Any]]) -> None:
    """Each run had one grant, and no other was ever made: read in one statement, for the next run may begin meanwhile."""
    begun = [run for run in ran if run.state != "pending"]  # the newest may have been planned a moment ago
    assert [run.token for run in begun] == list(range(1, len(begun) + 1))
    claims = select(func.sum(run_table.c.attempt)).where(run_table.c.lease_name == lease.c.name)
    granted = select(lease.c.token, claims.scalar_subquery().label("claimed")).where(lease.c.name == ran[0].lease_name)
    (row,) = story.rows(granted)
    assert row.token == row.claimed >= len(begun)


@pytest.mark.extended
def test_a_sync_of_20_jobs_that_takes_70_minutes_with_a_poll_each_hour(story: Story, starvation: Starvation) -> None:
    """On a scale of 1 to 600: 7 seconds, and a poll each 6: every other one finds it at work."""
    starts = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    environment = {"STORY_LENGTH": "7", "STORY_EVERY": "6", "STORY_STARTS": starts.isoformat()}
    for _ in range(2):
        story.start("sync.py", environment=environment)
    story.over("sync")
    third = story.event("began", job=JOBS[0], number=2)

    runs = story.runs("sync")
    first = runs[0].scheduled_for  # the first one that a replica was there for: from there on without a gap, none twice
    assert (first - starts) % EVERY == timedelta(0)
    assert [run.scheduled_for for run in runs] == [first + number * EVERY for number in range(len(runs))]
    assert {(run._mapping["count"], run.trigger) for run in runs} == {(1, "schedule")}
    assert runs[1].state == "skipped"
    assert [(run.id, run.state, run.attempt) for run in that_ran(runs)] == [
        (runs[0].id, "succeeded", 1),
        (third["run"], "running", 1),
    ]
    assert_a_sync_is_told_whole(story, runs[0])
    due, finished = boottime_of(runs[0].scheduled_for), boottime_of(runs[0].finished_at)
    starvation.assert_within(12.0, due, finished, "a sync is over before the next instant but one")
    assert_tokens_count_the_grants(story, that_ran(runs))
