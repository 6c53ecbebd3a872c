"""What may start beside what: shared locks, and locks with slots (rule 14)."""

from itertools import accumulate

from tests.support.replicas import Event, Story
from tests.support.waiting import wait_until


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
    story.output("audit")


def most_at_once(told: list[Event]) -> int:
    """Return how many attempts were at work at once, of those that have ended."""
    began = {(one["run"], one["attempt"]): one["at"] for one in told if one["what"] == "began"}
    changes = [(one["at"], -1) for one in told if one["what"] == "ended"]
    changes += [(began[one["run"], one["attempt"]], 1) for one in told if one["what"] == "ended"]
    return max(accumulate(change for _, change in sorted(changes)))
