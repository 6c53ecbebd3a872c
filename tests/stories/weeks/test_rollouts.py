"""Deploys as they go: replicas with an older and with a newer file beside each other (rule 21)."""

from tests.support.replicas import Story

from .deploys import B, begin, defined, end, go_on, ruler, start


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


def test_one_that_would_have_nothing_to_do_says_so_and_ends(story: Story) -> None:
    start(story, "A")
    start(story, "B")
    superseded = begin(story, "A", "--until-idle")
    assert superseded.wait() != 0
    assert "make these active with --take-over" in superseded.output
    assert "Traceback" not in superseded.output
    assert_new_ones_rule(story)
