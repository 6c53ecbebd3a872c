"""A database that is away for less than the tolerated outage, again and again, at any moment of a beat: no lease is lost (rule 3)."""

import os
import random
import time

import pytest
from sqlalchemy import select

from lease.schema import lease
from lease.timing import LeaseTiming
from tests.support.proxy import Proxy
from tests.support.replicas import Story
from tests.support.telling import boottime

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
