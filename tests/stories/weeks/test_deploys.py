"""Ordinary weeks in which releases come and go, and somebody is killed or left without work (rules 17, 21 and 22)."""

import pytest
from sqlalchemy import select

from daemon.store.tables import generation
from tests.support.replicas import Story
from tests.support.waiting import wait_until

from .deploys import (
    A,
    B,
    assert_no_promise_is_broken,
    assert_nothing_is_lost,
    begin,
    cancelled,
    defined,
    end,
    go_on,
    ruler,
    signs_of_life,
    stances,
    start,
)

SHORT = "--takeover-after=1s"
SOON = "--grace=0.5s"
"""What is at work after that is handed over."""


@pytest.mark.extended
def test_a_rolling_deploy_with_surge(story: Story) -> None:
    """Three old ones and three new ones. What waits of a removed schedule goes on among the old ones, and
    ends as cancelled when the last one has gone.
    """
    olds = [start(story, "A", SOON) for _ in range(3)]
    go_on(story, "goes")
    go_on(story, "goes")
    leaving, waiting = story.trigger("leaves"), story.trigger("leaves")
    finishing = story.trigger("slowly")
    story.event("began", run=finishing)
    story.event("began", job="fails-once", run=leaving)

    news = [start(story, "B", SOON)]
    assert (ruler(story), defined(story)) == ((2, False), B)
    news += [start(story, "B", SOON) for _ in range(2)]
    go_on(story, "changes", "B")
    go_on(story, "comes", "B")
    go_on(story, "stays", "A")
    go_on(story, "stays", "B")
    story.open("slowly")
    assert story.over("slowly").state == "succeeded"
    assert [one["release"] for one in story.events("ended", run=finishing)] == ["A"]

    story.event("began", job="leaves", run=leaving)  # the retry went well
    killed = story.holder_of(leaving)
    killed.kill()
    story.event("began", job="leaves", run=leaving, number=2)
    drained = story.holder_of(leaving)
    assert {killed, drained} < set(olds)
    end(drained)
    story.event("began", job="leaves", run=leaving, number=3)
    last = story.holder_of(leaving)
    assert {killed, drained, last} == set(olds)
    assert [one.state for one in story.runs("leaves")] == ["running", "pending"]
    end(last)
    wait_until(lambda: len(cancelled(story)) == 2, "what waited is over")
    assert cancelled(story) == [("leaves", "retired")] * 2
    assert [one.id for one in story.runs("leaves")] == [leaving, waiting]

    go_on(story, "stays")
    assert (ruler(story), defined(story)) == ((2, False), B)
    (ruled_at,) = story.rows(select(generation.c.ruled_at).where(generation.c.number == 2))[0]
    later = [one.id for one in story.runs("changes") if one.scheduled_for > ruled_at]
    assert {one["release"] for one in story.events("began", schedule="changes") if one["run"] in later} == {"B"}
    assert_nothing_is_lost(story, "stays", "changes", "comes", "goes")


@pytest.mark.extended
def test_a_rollback_and_the_same_release_again(story: Story) -> None:
    """The old file again, and the new one's replicas end one by one; then the new one, whose code was mended
    and whose definitions are the same. Blue and green for an hour, and back, is the same.
    """
    first = start(story, "A", SHORT)
    news = [start(story, "B", SHORT, SOON) for _ in range(2)]
    end(first)
    begun, waiting = story.trigger("slowly"), story.trigger("slowly")
    story.event("began", run=begun, release="B")
    old = start(story, "A", SHORT)
    assert stances(old) == ["generation 1 is superseded by generation 2"]
    end(news[0])
    assert ruler(story) == (2, False)
    end(news[1])
    old.wait_for_line("generation 1 is the fallback for generation 2")
    assert ruler(story) == (1, True)
    assert defined(story) == A | {"comes": "work"}, "nothing is retired"
    go_on(story, "changes", "A")
    go_on(story, "goes", "A")

    story.open("slowly")
    assert story.event("ended", run=waiting)["release"] == "A", "it was adopted"
    gone, adopted = story.runs("slowly")
    assert (gone.id, adopted.id) == (begun, waiting)
    wait_until(lambda: story.runs("slowly")[1].state == "succeeded", "the adopted run is over")
    assert "slowly-B" in (story.runs("slowly")[0].reason or "")
    assert story.runs("slowly")[0].state == "failed"
    assert None not in {one.adopted_from for one in story.runs("slowly")}

    again = start(story, "B", SHORT)
    assert stances(again) == ["generation 2 is on standby"]
    again.wait_for_line("generation 2 is active")
    assert (ruler(story), defined(story)) == ((2, False), B)
    go_on(story, "comes", "B")
    end(again)
    wait_until(lambda: ruler(story) == (1, True), "the old one stands in once more")
    go_on(story, "changes", "A")
    at_once = start(story, "B", SHORT, "--take-over")
    assert stances(at_once) == ["generation 2 is active"]
    wait_until(lambda: stances(old)[-1] == "generation 1 is superseded by generation 2", "the old one says so")
    go_on(story, "changes", "B")
    go_on(story, "comes", "B")
    assert cancelled(story) == []
    assert_nothing_is_lost(story, "stays", "changes", "comes")


@pytest.mark.extended
def test_a_staged_release_whose_first_replica_does_not_get_ready(story: Story) -> None:
    """CI stages it, and the rollout never comes; or it comes, and the new replica waits for a secret."""
    old = start(story, "A", SHORT)
    assert "staged" in story.output("sync", story.file("weeks.py"), release="B")
    assert [(one["number"], one["state"]) for one in story.told("status")["generations"]] == [
        (2, "staged"),
        (1, "current"),
    ]
    new = begin(story, "B", SHORT, secret="secret")
    signs_of_life(story, old, 4)
    assert (ruler(story), defined(story)) == ((1, False), A)
    assert stances(old) == ["generation 1 is active"]
    second = start(story, "A", SHORT)
    end(old)
    go_on(story, "changes", "A", by=second.pid)
    go_on(story, "goes", "A")
    assert new.status is None
    story.open("secret")
    story.up(new)
    assert (ruler(story), defined(story)) == ((2, False), B)
    go_on(story, "comes", "B")
    assert_nothing_is_lost(story, "stays", "changes")


@pytest.mark.extended
def test_two_files_that_claim_one_application(postgres_story: Story) -> None:
    story = postgres_story
    earlier = start(story, "A", SHORT)
    begun, own = story.trigger("slowly"), story.trigger("leaves")
    story.event("began", run=begun)
    later = start(story, "B", SHORT)
    earlier.wait_for_line("generation 1 is superseded by generation 2")
    shown = story.told("status")["generations"]
    assert [(one["number"], one["state"], [it["pid"] for it in one["replicas"]]) for one in shown] == [
        (2, "current", [later.pid]),
        (1, "superseded", [earlier.pid]),
    ]
    signs_of_life(story, earlier, 5)
    story.open("slowly")
    story.open("leaves")
    for schedule, run_id in (("slowly", begun), ("leaves", own)):
        ended = story.over(schedule)
        assert (ended.id, ended.state, ended.adopted_from) == (run_id, "succeeded", None)
    assert stances(earlier) == ["generation 1 is active", "generation 1 is superseded by generation 2"]
    assert stances(later) == ["generation 2 is active"]
    end(later)
    earlier.wait_for_line("generation 1 is the fallback for generation 2")
    assert len(stances(earlier)) == 3
    assert_no_promise_is_broken(story)


@pytest.mark.extended
def test_a_file_that_is_reverted_and_that_again_on_a_developer_s_machine(story: Story) -> None:
    for release in ("A", "B", "A", "B"):
        alone = start(story, release)  # takeover_after is a minute
        assert stances(alone)[0].startswith(f"generation {'AB'.index(release) + 1} ")
        go_on(story, "changes", release)
        assert defined(story).items() >= {"A": A, "B": B}[release].items()
        end(alone)
    assert len(story.rows(select(generation.c.number))) == 2
    assert {name for name, _ in cancelled(story)} <= {"goes"}, "what waits of a schedule that B retired"
    assert_nothing_is_lost(story, "stays", "changes")


def assert_new_ones_rule(story: Story) -> None:
    assert (ruler(story), defined(story)) == ((2, False), B)


def test_an_old_replica_that_is_killed_and_restarts_leaves_the_new_definitions_alone(story: Story) -> None:
    old = start(story, "A")
    new = start(story, "B")
    assert_new_ones_rule(story)
    old.kill()
    again = start(story, "A")
    assert "superseded by generation 2" in again.wait_for_standing()
    assert_new_ones_rule(story)
    end(again)
    assert_new_ones_rule(story)
    go_on(story, "comes", "B")
    go_on(story, "comes", "B")
    assert_new_ones_rule(story)
    assert new.status is None


def test_a_superseded_replica_that_would_have_nothing_to_do_says_so_and_ends(story: Story) -> None:
    start(story, "A")
    start(story, "B")
    superseded = begin(story, "A", "--until-idle")
    assert superseded.wait() != 0
    assert "make these active with --take-over" in superseded.output
    assert "Traceback" not in superseded.output
    assert_new_ones_rule(story)
