"""A replica that is paused for longer than the ttl, and goes on: a zombie, which writes nothing and finishes nothing (rules 2, 6, 9, 10, 11)."""

from typing import Any

import pytest
from sqlalchemy import Row, select, text

from daemon.store.tables import job_run, run
from lease.schema import lease
from lease.timing import LeaseTiming
from tests.support.replicas import ReplicaProcess, Story
from tests.support.starvation import Starvation
from tests.support.telling import boottime
from tests.support.waiting import wait_until

TTL = 4.5
TIMING = LeaseTiming(TTL)
AT_ONCE = 1.0
SCHEDULES = ("child", "writer", "deaf")


LOSS = (job_run.c.lost_by, job_run.c.lost_why, job_run.c.work_ended_at)
"""What a holder notes of its own attempt, after its end too; nobody decides anything by it."""


def everything(story: Story) -> list[list[Row[Any]]]:
    """The three tables that a completion writes to, but for `LOSS`."""
    keys = ((lease, lease.c.name), (run, run.c.id), (job_run, job_run.c.id))
    return [
        story.rows(select(*(column for column in table.c if column not in set(LOSS))).order_by(key))
        for table, key in keys
    ]


def counted(replica: ReplicaProcess) -> dict[str, int]:
    counts: dict[str, int] = replica.livez()["counts"]
    return counts


@pytest.fixture
def written(story: Story) -> None:
    with story.engine.begin() as connection:
        connection.execute(text("CREATE TABLE written (token bigint NOT NULL)"))


@pytest.mark.usefixtures("written")
def test_a_holder_paused_for_longer_than_the_ttl_can_write_and_finish_nothing_when_it_goes_on(
    story: Story, starvation: Starvation
) -> None:
    zombie = story.start("zombie.py", *(f"--now={name}" for name in SCHEDULES), ttl=f"{TTL}s", web=True)
    for name in SCHEDULES:
        story.event("began", job=name, token=1)
    other = story.start("zombie.py", ttl=f"{TTL}s")
    story.up(other)
    story.open("child-2")
    story.event("tick", token=1)
    assert counted(zombie) == {"runs_lost": 0, "writes_refused": 0}

    story.pause(zombie)
    paused = boottime()
    for name in SCHEDULES:
        assert story.over(name).state == "succeeded"

    # Its child was dead before the next grant (rule 20), though the replica itself could not say a word.
    last_tick = story.events("tick", job="child", token=1)[-1]
    starvation.assert_within(TIMING.give_up + TIMING.kill_time, paused, last_tick["at"], "its child's last word")
    ((granted_at,),) = story.rows(select(lease.c.granted_at).where(lease.c.name == "run/zombie/child"))
    assert last_tick["wall"] < granted_at.timestamp()
    assert story.event("earlier", token=2)["alive"] == []
    # The other one has taken over.
    for name in SCHEDULES:
        assert story.event("began", job=name, number=2)["token"] == 2
        assert story.attempts(name) == [(name, 1, "abandoned"), (name, 2, "succeeded")]

    before = everything(story)
    zombie.go_on()
    continued = boottime()
    for name in ("writer", "deaf"):
        cancelled = story.event("cancelled", job=name)
        starvation.assert_within(AT_ONCE, continued, cancelled["at"], f"{name} is cancelled")
    refused = story.event("refused")
    starvation.assert_within(AT_ONCE, continued, refused["at"], "its write is refused")
    assert "token 1" in refused["error"]
    wait_until(lambda: len(zombie.said("run lost")) == 3, "the first replica has let go of its three runs")

    # Nothing was written: neither by the job, nor by its completion.
    assert story.rows(select(text("token")).select_from(text("written"))) == [(2,)]
    assert everything(story) == before
    noted = select(job_run.c.lost_by).where(job_run.c.token == 1, job_run.c.lost_by.is_not(None))
    wait_until(lambda: len(story.rows(noted)) == 3, "it has noted why its attempts lost their leases")
    assert {kind for (kind,) in story.rows(noted)} == {"suspended"}
    assert everything(story) == before, "and nothing else"
    # Both are visible as facts.
    losses = zombie.said("lease lost")
    assert {(loss["lease"], loss["token"]) for loss in losses} == {(f"run/zombie/{name}", 1) for name in SCHEDULES}
    assert all("suspended" in loss["cause"] for loss in losses)
    refusal = zombie.wait_for_line("write refused")
    assert (refusal["schedule"], refusal["token"]) in {("writer", 1), ("child", 1)}
    assert counted(zombie)["runs_lost"] == 3
    assert counted(zombie)["writes_refused"] >= 1
    # And it is well, and works on.
    assert story.events("cancelled", token=2) == []
    assert zombie.status is None


def test_a_replica_whose_lost_task_cannot_be_ended_ends_itself(postgres_story: Story) -> None:
    """Rule 9: nothing else would end such work."""
    story = postgres_story
    replica = story.start("zombie.py", "--now=stubborn", ttl="3s")
    story.event("began")
    story.pause(replica)
    other = story.start("zombie.py", ttl="3s")
    assert story.over("stubborn").state == "succeeded"
    replica.go_on()
    assert replica.wait() == 1
    assert replica.said("did not end although its lease was lost")
    assert other.status is None
