"""A failover by Patroni in the middle of fifty runs: the machine of the primary is gone without a word.

Each story takes about a minute, most of which Patroni waits for the primary.
"""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from daemon.store import migrations
from tests.stories.test_failover import NAMES, RUNS, assert_none_is_lost_or_doubled_and_tokens_go_on_increasing
from tests.support.binaries import Binaries
from tests.support.replicas import Story
from tests.support.starter import Starter
from tests.support.waiting import wait_until

from .cluster import PROGRAMS, TTL, PatroniCluster

LIMIT = 3.0 * TTL
_logger = logging.getLogger(__name__)


@pytest.fixture
def cluster(postgres_programs: Binaries) -> Iterator[PatroniCluster]:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not found: on Debian, apt-get install patroni python3-etcd etcd-server")
    with PatroniCluster(postgres_programs) as made:
        yield made


@pytest.mark.extended
@pytest.mark.parametrize("ttl", ["15s", "90s"])
def test_a_failover_by_patroni_loses_no_run_and_doubles_none_and_under_a_long_lease_it_costs_no_attempt(
    story_folder: Path,
    starter: Starter,
    cluster: PatroniCluster,
    ttl: str,
) -> None:
    repeated = 0 if ttl == "90s" else RUNS
    url = cluster.url()
    migrations.upgrade(url)
    with Story(story_folder, url, starter) as story:
        for _ in range(2):
            story.start("fifty.py", "--concurrency=30", ttl=ttl, environment={"STORY_GATE": "gate"})
        story.up()
        first = {name: story.trigger(name) for name in NAMES}
        wait_until(lambda: len(story.events("began")) >= RUNS, "all of them run")

        before, began = cluster.primary, monotonic()
        before.die()
        wait_until(cluster.has_primary, "Patroni has made the other one the primary", limit=LIMIT)
        _logger.info("%.1f s without a database", monotonic() - began)
        assert cluster.primary is not before

        wait_until(
            lambda: len(story.events("began")) >= RUNS + repeated, "what was stopped is tried again", limit=LIMIT
        )
        story.open("gate")
        assert_none_is_lost_or_doubled_and_tokens_go_on_increasing(story, first)
        assert len(story.events("began")) == 2 * RUNS + repeated
