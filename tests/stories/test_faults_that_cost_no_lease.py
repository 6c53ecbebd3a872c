"""A job that blocks its event loop, and a database that is away for less than the tolerated outage, once or again and again, at any
moment of a beat: neither costs a lease (rules 3 and 8).
"""

import os
import random
import time

import pytest
from sqlalchemy import select

from lease.schema import lease
from lease.timing import LeaseTiming
from tests.support.postgres import PostgresServer
from tests.support.proxy import Proxy
from tests.support.replicas import Story
from tests.support.telling import boottime


@pytest.mark.extended
def test_an_async_job_that_blocks_its_event_loop_for_three_ttls_keeps_its_lease(story: Story) -> None:
    ttl = 3.0
    environment = {"STORY_LENGTH": str(3 * ttl)}
    replica = story.start("blocking.py", "--now=blocking", ttl=f"{ttl}s", environment=environment, web=True)
    story.event("began")
    other = story.start("blocking.py", ttl=f"{ttl}s", environment=environment)
    story.up(other)
    answers = 0
    while not story.events("ended"):
        assert replica.livez()["alive"]
        answers += 1
    assert answers > 3
    run = story.over("blocking")
    assert (run.state, run.token, run.attempt) == ("succeeded", 1, 1)
    assert story.attempts() == [("blocking", 1, "succeeded")]
    assert not replica.said("lease lost")
    assert not other.said("run ")


def test_a_database_that_is_away_for_less_than_the_tolerated_outage_costs_nothing(
    own_server: PostgresServer, server_story: Story
) -> None:
    story, ttl = server_story, 30.0
    replica = story.start("gated.py", "--now=one", "--now=two", ttl=f"{ttl}s")
    for job in ("one", "two"):
        story.event("began", job=job)

    away = boottime()
    own_server.stop()
    story.open("one")  # this one ends while its database is away
    story.event("ended", job="one")
    replica.wait_for_line("leases at risk")  # a renewal has failed
    own_server.start()
    if boottime() - away >= LeaseTiming(ttl).tolerated_outage:
        pytest.skip("this machine is too busy to start a server in time: it was away for longer than is tolerated")
    replica.wait_for_line("the database is back")
    assert story.over("one").state == "succeeded"
    assert [run.state for run in story.runs("two")] == ["running"]
    story.open("two")

    for job in ("one", "two"):
        run = story.over(job)
        assert (run.state, run.token, run.attempt) == ("succeeded", 1, 1)
        assert story.attempts(job) == [(job, 1, "succeeded")]
        assert len(story.events("began", job=job)) == 1
    assert not replica.said("lease lost")


TTL = 9.0
TIMES = int(os.environ.get("LEASED_TEST_OUTAGES", "4"))
"""How many outages; docs/internals/evidence.md has 200."""


@pytest.mark.proof
@pytest.mark.timeout(120 + 15 * TIMES)
def test_no_outage_shorter_than_the_tolerated_one_costs_a_lease(proxied_story: Story, proxy: Proxy) -> None:
    story, chance, timing = proxied_story, random.Random(TIMES), LeaseTiming(TTL)
    environment = {"STORY_PATIENCE": str(60 + 15 * TIMES)}
    replica = story.start("gated.py", "--now=one", "--now=two", ttl=f"{TTL}s", environment=environment)
    for job in ("one", "two"):
        story.event("began", job=job)
    names = story.rows(select(lease.c.name).where(lease.c.holder.is_not(None)))
    for _ in range(TIMES):
        time.sleep(chance.uniform(0, timing.renew_every))  # at any moment of a beat
        began = boottime()
        chance.choice([proxy.cut, proxy.blackhole])()
        time.sleep(chance.uniform(0.3, 0.85) * timing.tolerated_outage)
        proxy.heal()
        if boottime() - began >= timing.tolerated_outage:
            pytest.skip("this machine is too busy to end an outage in time: it was longer than is tolerated")
        for (name,) in names:
            story.renewed(name)
    assert not replica.said("lease lost")
    for job in ("one", "two"):
        story.open(job)
        run = story.over(job)
        assert (run.state, run.token, run.attempt) == ("succeeded", 1, 1)
        assert len(story.events("began", job=job)) == 1
