"""What may start beside what: runs under a lock with slots (rule 14)."""

from itertools import accumulate

from tests.support.replicas import Event, Story
from tests.support.waiting import wait_until


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
