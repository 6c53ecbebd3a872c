"""Deploys as they go: replicas with an older and with a newer file beside each other (rule 21)."""

import json
import signal

from sqlalchemy import select

from daemon.store.tables import schedule
from tests.support.replicas import ReplicaProcess, Story
from tests.support.waiting import wait_until


def started(story: Story, release: str, *options: str, web: bool = False) -> ReplicaProcess:
    replica = story.start("releases.py", *options, environment={"STORY_RELEASE": release}, web=web)
    story.up(replica)
    return replica


def defined(story: Story) -> dict[str, bool]:
    """Return the schedules, and whether each is retired."""
    return {row.name: row.retired_at is not None for row in story.rows(select(schedule))}


def assert_new_ones_rule(story: Story) -> None:
    assert defined(story) == {"stays": False, "changes": False, "goes": True, "comes": False}
    (changed,) = story.rows(select(schedule.c.definition).where(schedule.c.name == "changes"))
    assert '"name": "new"' in changed.definition


def test_an_old_replica_that_is_killed_and_restarts_leaves_the_new_definitions_alone(story: Story) -> None:
    old = started(story, "old")
    new = started(story, "new")
    assert_new_ones_rule(story)
    old.kill()
    again = started(story, "old")
    assert "superseded by generation 2" in again.wait_for_standing()
    assert_new_ones_rule(story)
    again.send(signal.SIGTERM)
    again.wait()
    assert_new_ones_rule(story)
    begun = len(story.events("began", job="comes"))
    wait_until(lambda: len(story.events("began", job="comes")) > begun + 1, "the new release goes on alone")
    assert_new_ones_rule(story)
    assert new.status is None


def test_the_old_release_stands_in_when_the_new_one_has_ended_and_gives_way_when_it_is_back(story: Story) -> None:
    old = started(story, "old", "--takeover-after=1s")
    new = started(story, "new", "--takeover-after=1s")
    new.send(signal.SIGTERM)
    new.wait()
    old.wait_for_line("generation 1 stands in for generation 2")
    assert defined(story) == {"stays": False, "changes": False, "goes": False, "comes": False}
    begun = len(story.events("began", job="goes"))
    wait_until(lambda: len(story.events("began", job="goes")) > begun, "the old release's own schedule is due again")
    back = started(story, "new", "--takeover-after=1s")
    back.wait_for_line("generation 2 is current")
    assert_new_ones_rule(story)


def test_one_that_would_have_nothing_to_do_says_so_and_ends(story: Story) -> None:
    started(story, "old")
    started(story, "new")
    superseded = story.start("releases.py", "--until-idle", environment={"STORY_RELEASE": "old"})
    assert superseded.wait() != 0
    assert "make these current with --take-over" in superseded.output
    assert "Traceback" not in superseded.output
    assert_new_ones_rule(story)


def test_replicas_of_different_releases_are_told_apart(story: Story) -> None:
    started(story, "old")
    new = started(story, "new")
    new.wait_for_line("generation 2 is current")
    listed = story.leased("replicas", "--json")
    assert listed.wait() == 0, listed.output
    told = json.loads(listed.output)["items"]
    assert sorted((one["generation"], one["rules"]) for one in told) == [(1, False), (2, True)]
    shown = story.leased("replicas")
    assert shown.wait() == 0
    assert "1, not current" in shown.output


def test_what_comes_next_is_told_at_both_ends_and_counted(story: Story) -> None:
    old = started(story, "old", "--takeover-after=4s", web=True)
    assert "generation" not in old.readyz()
    new = started(story, "new", "--takeover-after=4s", web=True)
    assert "these definitions supersede theirs" in new.wait_for_line("runs generation 1")["message"]
    old.wait_for_line("generation 1 is superseded by generation 2: this replica changes no definition")
    assert old.readyz()["ready"]
    assert "is superseded by generation 2" in old.readyz()["generation"]
    new.send(signal.SIGTERM)
    new.wait()
    counting = old.wait_for_line("of which no replica is ready: it rules in ")["message"]
    assert counting.endswith("unless a replica of generation 2 is ready")
    old.wait_for_line("generation 1 stands in for generation 2")
    assert "put on top for good in" in old.readyz()["generation"]
    shown = story.told("status")["generations"]
    assert [(one["number"], one["state"]) for one in shown] == [(2, "next"), (1, "in lieu")]
    back = started(story, "new", "--takeover-after=4s", web=True)
    assert "generation 2 is next: generation 1 stands in for it; it rules in 4s" in back.wait_for_standing()
    back.wait_for_line("generation 2 is current")
    assert "generation" not in back.readyz()
    history = story.told("generations")["items"]
    assert [(one["number"], one["state"]) for one in history] == [(2, "current"), (1, "superseded")]
    assert history[1]["differs"] == {
        "added": ["goes"],
        "removed": ["comes"],
        "changed": ["changes"],
        "retimed": [],
    }
    assert [one["pid"] for one in history[1]["replicas"]] == [old.pid]


def test_a_release_that_forgets_its_revision_supersedes_nobody_and_is_told_what_is_missing(story: Story) -> None:
    started(story, "old", "--revision=41")
    forgetful = started(story, "new")
    assert "it has no revision, and generation 1 has 41" in forgetful.wait_for_standing()
    assert defined(story) == {"stays": False, "changes": False, "goes": False}
    reminded = started(story, "new", "--revision=42")
    assert "generation 2 is current" in reminded.wait_for_standing()
    assert_new_ones_rule(story)
    taken = story.start("releases.py", "--revision=42", environment={"STORY_RELEASE": "old"})
    assert taken.wait() == 2
    assert 'revision 42 of "releases" already stands for other definitions: generation 2' in taken.output
    assert_new_ones_rule(story)
    higher = started(story, "old", "--revision=43")
    assert "generation 3 is current" in higher.wait_for_standing()
    assert defined(story)["goes"] is False
