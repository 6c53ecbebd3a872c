"""`leased cancel`: a job at work is gone soon, and its run never goes on, whatever becomes of its replica (rule 23)."""

import re

from sqlalchemy import select

from lease.schema import lease
from tests.support.replicas import Story
from tests.support.starvation import Starvation
from tests.support.telling import boottime, is_alive
from tests.support.waiting import wait_until

KILL_TIME = 1.0
REASON = "cancelled by bob: it hangs"


def cancel(story: Story, run_id: int) -> str:
    """Do what a person does, and return what is said."""
    return story.output("cancel", str(run_id), "--by", "bob", "--why", "it hangs")


def gone(story: Story, *pids: int) -> float:
    wait_until(lambda: not any(map(is_alive, pids)), "the processes of the job are gone")
    return boottime()


def test_a_command_that_takes_no_notice_of_sigterm_is_gone_with_its_tree_and_its_run_is_over(
    story: Story, starvation: Starvation
) -> None:
    replica = story.start("failing.py", f"--kill-time={KILL_TIME}s", "--now=deaf", ttl="60s")
    began, spawned = story.event("began"), story.event("spawned")
    next_one = story.trigger("deaf")
    said = cancel(story, began["run"])
    assert re.match(rf"cancelling run {began['run']} of deaf \(failing\): .*:{replica.pid} will stop", said)
    replica.wait_for_line("run is cancelled")
    heard = boottime()
    starvation.assert_within(KILL_TIME + 1.0, heard, gone(story, began["pid"], spawned["child"]), "it is gone")

    run = story.over("deaf")
    assert (run.id, run.state, run.reason, run.attempt) == (began["run"], "cancelled", REASON, 1)
    again = story.event("began", run=next_one)
    assert again["token"] == began["token"] + 1
    assert [one for one in story.attempts("deaf") if one[0] == "deaf"] == [
        ("deaf", 1, "stopped"),
        ("deaf", 1, "running"),
    ]
    (ended,) = replica.said("run cancelled")
    assert (ended["run"], ended["reason"]) == (began["run"], REASON)
    assert "already cancelled by bob: it hangs; it has ended" in cancel(story, began["run"])


def test_a_marked_run_whose_replica_was_killed_is_settled_as_cancelled_and_does_not_run_again(story: Story) -> None:
    """It is killed before it can hear of the mark."""
    story.start("failing.py", "--renew-every=2s", "--now=deaf", ttl="60s")
    began = story.event("began")
    doomed = story.holder_of(began["run"])
    story.pause(doomed)
    cancel(story, began["run"])
    doomed.kill()
    other = story.start("failing.py", ttl="60s")
    run = story.over("deaf")
    assert (run.id, run.state, run.reason, run.attempt) == (began["run"], "cancelled", REASON, 1)
    assert story.attempts("deaf") == [("deaf", 1, "abandoned")]
    assert "(token 1): cancelled" in other.wait_for_line("startup cleanup")["message"]
    assert story.rows(select(lease.c.holder).where(lease.c.name == "run/failing/deaf")) == [(None,)]
    assert [one["run"] for one in story.events("began")] == [began["run"]]
