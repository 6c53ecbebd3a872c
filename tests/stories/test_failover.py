"""A failover to the synchronous standby in the middle of fifty runs."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.store import migrations
from tests.support.binaries import Binaries
from tests.support.pair import Pair
from tests.support.proxy import Proxy
from tests.support.replicas import Story
from tests.support.starter import Starter
from tests.support.waiting import wait_until

RUNS = 50
NAMES = [f"one-{number:02}" for number in range(RUNS)]


@pytest.fixture
def pair(postgres_programs: Binaries) -> Iterator[Pair]:
    with Pair(postgres_programs) as made:
        yield made


@pytest.mark.extended
def test_a_failover_in_the_middle_of_fifty_runs_loses_none_and_doubles_none_and_tokens_go_on_increasing(
    story_folder: Path, starter: Starter, pair: Pair
) -> None:
    migrations.upgrade(pair.primary.url())
    with Proxy(pair.primary.port) as proxy:
        url = pair.primary.url().replace(f":{pair.primary.port}/", f":{proxy.port}/")
        with Story(story_folder, url, starter) as story:
            for _ in range(3):
                story.start("fifty.py", "--concurrency=20", ttl="15s", environment={"STORY_GATE": "gate"})
            story.up()
            first = {name: story.trigger(name) for name in NAMES}
            wait_until(lambda: len(story.events("began")) >= RUNS, "all of them run")

            pair.fail_over()
            proxy.lead_to(pair.primary.port)

            story.open("gate")
            assert_none_is_lost_or_doubled_and_tokens_go_on_increasing(story, first)


def assert_none_is_lost_or_doubled_and_tokens_go_on_increasing(story: Story, first: dict[str, int]) -> None:
    """Run each once more, behind its first run, which was at work at the failover."""
    for name in NAMES:
        story.over(name)
    again = {name: story.trigger(name) for name in NAMES}
    for name in NAMES:
        story.over(name, number=2)

    runs = {run.id: run for run in story.runs()}
    assert sorted(runs) == sorted([*first.values(), *again.values()])
    assert {run.state for run in runs.values()} == {"succeeded"}
    assert set(Counter(one.run_id for one in story.job_runs() if one.state == "succeeded").values()) == {1}
    assert len(story.events("ended")) == 2 * RUNS
    assert all(runs[again[name]].token > runs[first[name]].token for name in NAMES)
