"""What may start, and when: queues, shared locks, triggers, retired schedules (rules 14 and 17)."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

import pytest

from tests.support.replicas import Event, Story
from tests.support.starvation import Starvation, boottime_of
from tests.support.waiting import wait_until


@pytest.mark.extended
def test_with_overlap_queue_each_successor_runs_right_after(story: Story, starvation: Starvation) -> None:
    starts = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    ends = starts + timedelta(seconds=60)
    environment = {"STORY_STARTS": starts.isoformat(), "STORY_ENDS": ends.isoformat()}
    for _ in range(2):
        story.start("queueing.py", environment=environment)
    story.event("began")
    wait_until(lambda: len(story.runs("queued")) >= 4, "three more are due")
    waiting = story.runs("queued")[1:4]
    assert [(run.state, run.available_at) for run in waiting] == [("pending", None)] * 3

    story.open("queued")
    story.over("queued", number=4)
    ran = story.runs("queued")[:4]
    assert [run.state for run in ran] == ["succeeded"] * 4
    assert [run.token for run in ran] == [1, 2, 3, 4]
    for one, successor in pairwise(ran):
        assert successor.started_at >= one.finished_at
        ended, began = boottime_of(one.finished_at), boottime_of(successor.started_at)
        starvation.assert_within(1.0, ended, began, "its successor begins")


def test_schedules_that_share_a_lock_never_run_at_the_same_time(story: Story) -> None:
    for _ in range(2):
        story.start("queueing.py")
    for name in ("left", "right"):
        story.event("ended", job=name, number=3)
    told = [one for one in story.events() if one["what"] in ("began", "ended")]
    assert_one_after_the_other(told)
    assert {run.lease_name for run in story.runs()} == {"shared"}


def assert_one_after_the_other(told: list[Event]) -> None:
    ordered = sorted(told, key=lambda one: one["at"])
    for began, ended in zip(ordered[::2], ordered[1::2], strict=False):
        assert (began["what"], ended["what"]) == ("began", "ended")
        assert (began["job"], began["token"]) == (ended["job"], ended["token"])
    tokens = [one["token"] for one in ordered if one["what"] == "began"]
    assert tokens == list(range(1, len(tokens) + 1))


def test_runs_under_a_lock_with_slots_are_at_work_so_many_at_once_whoever_dies(story: Story) -> None:
    """However many replicas look for them; and what a dead one had passes on to another (rules 14 and 18)."""
    replicas = [story.start("slots.py", "--concurrency=10") for _ in range(3)]
    story.up(*replicas)
    first = story.trigger("thumbnail")
    story.event("began")
    for _ in range(11):
        story.trigger("thumbnail")
    last = story.trigger("report")
    story.event("began", number=2)
    assert sum(run.state == "running" for run in story.runs()) == 2
    story.holder_of(first).kill()
    story.event("began", run=last)  # which came last, and counts as waiting an hour longer

    story.open("go")
    wait_until(lambda: all(run.state == "succeeded" for run in story.runs()), "all have succeeded")
    assert most_at_once(story.events()) <= 2
    assert {run.lease_name for run in story.runs()} == {"api", "api/2"}
    assert [run.attempt for run in story.runs() if run.id == first] == [2]
    assert story.leased("audit").wait() == 0


def most_at_once(told: list[Event]) -> int:
    """Return how many attempts were at work at once, of those that have ended."""
    began = {(one["run"], one["attempt"]): one["at"] for one in told if one["what"] == "began"}
    changes = [(one["at"], -1) for one in told if one["what"] == "ended"]
    changes += [(began[one["run"], one["attempt"]], 1) for one in told if one["what"] == "ended"]
    return max(accumulate(change for _, change in sorted(changes)))


@pytest.mark.extended
def test_a_trigger_while_the_schedule_runs_waits_for_its_turn(story: Story) -> None:
    story.start("gated.py", "--now=one")
    story.event("began", job="one")
    second = story.trigger("one")
    story.trigger("two")
    story.event("began", job="two")  # a free schedule's starts meanwhile
    ((_, waiting),) = [(run.id, run) for run in story.runs("one") if run.id == second]
    assert (waiting.state, waiting.available_at, waiting.requested_by) == ("pending", None, "a test")
    story.open("one")
    run = story.over("one", number=2)
    assert (run.id, run.state, run.token) == (second, "succeeded", 2)
    assert [one["what"] for one in story.events(job="one")] == ["began", "ended", "began", "ended"]


@pytest.mark.extended
def test_a_retired_schedule_is_due_no_more_and_what_waits_runs_where_it_is_still_known(story: Story) -> None:
    old = story.start("changing.py", environment={"STORY_OLD": "yes"})
    story.event("began", job="goes")
    waiting = story.trigger("goes")
    new = story.start("changing.py")
    story.up(new)
    story.open("goes")
    assert story.over("goes").state == "succeeded"  # what ran may finish
    before = [run.id for run in story.runs("goes")]
    stays = len(story.events("began", job="stays"))
    story.event("began", job="stays", number=stays + 4)
    assert [run.id for run in story.runs("goes")] == before
    assert [run.state for run in story.runs("goes") if run.id == waiting] == ["succeeded"]
    assert len(story.events("began", job="goes")) == 2
    assert old.status is None
