"""Weeks in which a schedule is renamed: what is at work, a pause and what waits go on under the new name, and back."""

import pytest
from sqlalchemy import select

from daemon.store.tables import called, schedule
from tests.support.replicas import ReplicaProcess, Story
from tests.support.waiting import wait_until

from .deploys import assert_no_promise_is_broken, end, ruler

SHORT = "--takeover-after=1s"
FILE = "renamed.py"


def start(story: Story, release: str, *options: str) -> ReplicaProcess:
    replica = story.start(FILE, SHORT, *options, environment={"STORY_RELEASE": release})
    story.up(replica)
    return replica


def names(story: Story) -> list[tuple[str, str]]:
    """Return the rows that are not retired: the name of each, and what its schedule is called."""
    rows = story.rows(select(schedule).where(schedule.c.retired_at.is_(None)).order_by(schedule.c.name))
    return [(row.name, called(row)) for row in rows if row.name != "stays"]


def is_paused(story: Story) -> bool:
    return any(row.paused_at is not None for row in story.rows(select(schedule)))


@pytest.mark.extended
def test_a_schedule_is_renamed_with_a_run_at_work_and_a_pause(story: Story) -> None:
    """Old and new replicas exclude each other: of two runs the second waits until the first is over, which goes on
    under the new name, with the same key, where its replica dies.
    """
    old = start(story, "A")
    first, second = story.trigger("night"), story.trigger("night")
    before = story.event("began", run=first)
    story.output("pause", "night")

    new = start(story, "B")
    assert ruler(story) == (2, False)
    assert names(story) == [("night", "nightly")]
    assert is_paused(story)
    new.wait_for_line("1 renamed (nightly (was night))")
    also = start(story, "A")
    assert [one.state for one in story.runs("night")] == ["running", "pending"]
    end(also)

    old.kill()
    again = story.event("began", run=first, release="B")
    assert (again["key"], again["job"], again["schedule"]) == (before["key"], "load", "nightly")
    assert again["token"] > before["token"]
    assert not story.events("began", run=second)
    late = story.start(FILE, SHORT, environment={"STORY_RELEASE": "A"})
    assert "is superseded by generation 2" in late.wait_for_standing()
    for name in ("nightly", "night"):
        story.output("trigger", name)
    story.open("night")
    wait_until(lambda: [one.state for one in story.runs("night")] == ["succeeded"] * 4, "all runs are over")
    assert [one["run"] for one in story.events("ended")] == [one.id for one in story.runs("night")]
    assert [one["schedule"] for one in story.told("runs", "night")["items"]] == ["nightly"] * 4
    assert (names(story), is_paused(story)) == ([("night", "nightly")], True)
    assert_no_promise_is_broken(story)


@pytest.mark.extended
def test_a_schedule_is_renamed_without_saying_so(story: Story) -> None:
    """It is told before, by `check` and a dry run, and after, in the log and in `status`; what may run beside it does."""
    old = start(story, "A")
    first, waits = story.trigger("night"), story.trigger("night")
    story.event("began", run=first)
    story.output("pause", "night")
    for command in (["check"], ["sync", "--dry-run"]):
        said = " ".join(story.output(*command, story.file(FILE), release="without was").split())
        assert '"night" is no longer defined; it has 1 run that waits' in said
        assert "1 run running (these finish) and a pause (" in said
        assert '"nightly" looks like "night" renamed, but is a new schedule' in said

    new = start(story, "without was")
    new.wait_for_line('"nightly" looks like "night" renamed')
    assert story.rows(select(schedule.c.paused_at).where(schedule.c.name == "nightly")) == [(None,)]
    beside = story.trigger("nightly")
    story.event("began", run=beside, release="without was")
    problems = [one for one in story.told("status")["problems"] if one["kind"] == "retired"]
    assert [(one["schedule"], one["run_id"]) for one in problems] == [("night", first)]
    story.open("night")
    story.over("night", number=2)
    end(old)
    assert [one.id for one in story.runs("night") if one.state == "succeeded"] == [first, waits]
    assert not [one for one in story.told("status")["problems"] if one["kind"] == "retired"]
    assert_no_promise_is_broken(story)


@pytest.mark.extended
@pytest.mark.parametrize("taken_back", ["by those that live", "by one that starts"])
def test_a_rename_is_rolled_back(story: Story, taken_back: str) -> None:
    """The row gets its name back; nothing is lost, and nothing runs twice."""
    old = start(story, "A")
    new = start(story, "B", "--grace=0.5s")
    if taken_back == "by one that starts":
        end(old)
    first, second = story.trigger("night"), story.trigger("night")
    story.output("pause", "nightly")
    story.event("began", run=first)
    assert names(story) == [("night", "nightly")]
    end(new)
    if taken_back == "by one that starts":
        start(story, "A")
    wait_until(lambda: names(story) == [("night", "night")], "the row has its name back")
    assert is_paused(story)
    assert ruler(story)[0] == 1
    story.open("night")
    wait_until(lambda: [one.state for one in story.runs("night")] == ["succeeded"] * 2, "both runs are over")
    assert [one["run"] for one in story.events("ended", release="A")] == [first, second]
    assert len({one["key"] for one in story.events("began", run=first)}) == 1
    again = start(story, "B")
    again.wait_for_line("generation 2 is active")
    assert (names(story), is_paused(story)) == ([("night", "nightly")], True)
    assert not [one for one in story.runs() if one.state == "cancelled"]
    assert_no_promise_is_broken(story)
