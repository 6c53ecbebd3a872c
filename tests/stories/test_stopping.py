"""Signals: a replica first stops claiming, and then lets jobs finish (rule 19)."""

import signal

from sqlalchemy import create_engine, select, text

from daemon.store.tables import replica as replica_table
from tests.support.replicas import Story
from tests.support.waiting import wait_until


def test_on_sigterm_a_running_job_finishes_and_nothing_more_is_claimed(story: Story) -> None:
    replica = story.start("gated.py", "--now=one", ttl="3s")
    story.event("began", job="one")
    replica.send(signal.SIGTERM)
    replica.wait_for_line("SIGTERM")
    story.trigger("two")
    story.open("two")
    for _ in range(3):  # longer than a poll: it has had its chance to claim
        story.renewed("run/gated/one")
    story.open("one")
    assert replica.wait() == 143
    assert story.over("one").state == "succeeded"
    assert [(run.state, run.attempt) for run in story.runs("two")] == [("pending", 0)]
    assert story.events(job="two") == []
    assert story.replica_state(replica) == "stopped"


def test_a_replica_that_drains_is_not_ready_at_once_although_it_lives_and_is_shown_so(postgres_story: Story) -> None:
    """Before it has looked again: where nothing wakes it, it does so once an hour."""
    replica = postgres_story.start("gated.py", "--now=one", "--poll=1h", "--grace=2m", ttl="60s", web=True)
    postgres_story.event("began", job="one")
    assert replica.readyz() == {"ready": True, "status": "ok", "problems": {}}
    replica.send(signal.SIGTERM)
    replica.wait_for_line("SIGTERM")
    assert replica.readyz() == {
        "ready": False,
        "status": "draining",
        "problems": {"draining": "the replica is stopping and claims no more runs"},
    }
    assert replica.livez()["alive"]
    wait_until(lambda: postgres_story.replica_state(replica) == "draining", "the table shows it")
    (shown,) = postgres_story.told("status")["running"]
    assert (shown["schedule"], shown["draining"], shown["usually_ends_in"]) == ("one", True, None)
    postgres_story.open("one")
    assert replica.wait() == 143


def test_a_replica_that_is_told_to_end_on_its_way_up_ends_in_order(postgres_story: Story) -> None:
    engine = create_engine(postgres_story.url)
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE schedule IN SHARE ROW EXCLUSIVE MODE"))
        replica = postgres_story.start("gated.py", "--now=one")
        registered = select(replica_table.c.pid).where(replica_table.c.pid == replica.pid)
        wait_until(lambda: postgres_story.rows(registered), "it is in the table of replicas")
        replica.send(signal.SIGTERM)
        replica.wait_for_line("SIGTERM")
    engine.dispose()
    assert replica.wait() == 143
    assert postgres_story.replica_state(replica) == "stopped"
    assert [run.state for run in postgres_story.runs("one")] == ["pending"]
