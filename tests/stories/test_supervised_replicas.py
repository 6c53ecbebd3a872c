"""`--replicas N`: replicas under a supervisor."""

import os
import signal
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import make_url

from tests.support.replicas import Story
from tests.support.telling import is_alive
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.extended


def test_when_the_supervisor_is_killed_its_replicas_let_jobs_finish_and_end(postgres_story: Story) -> None:
    story = postgres_story
    secret = {"LEASED_DATABASE_URL": story.url}
    supervisor = story.start_bare(story.file("gated.py"), "--now=one", "--replicas=2", environment=secret)
    story.event("began", job="one")
    wait_until(lambda: len(story.living()) == 2, "both replicas run")
    pids = story.living()
    password = make_url(story.url).password
    assert password
    assert [line for pid in pids if password in (line := Path(f"/proc/{pid}/cmdline").read_text())] == [], (
        "all can read it"
    )
    supervisor.kill()
    wait_until(lambda: len(supervisor.said("the supervisor is gone")) == 2, "both replicas have noticed")
    story.open("one")
    run = story.over("one")
    assert (run.state, run.attempt) == ("succeeded", 1)
    for pid in pids:
        wait_until(lambda pid=pid: not is_alive(pid), f"replica {pid} ends")  # type: ignore[misc]
    assert story.living() == []


def scraped(url: str) -> dict[str, dict[str, float]]:
    """What the supervisor serves, by family and replica, without the series of schedules."""
    with urlopen(url, timeout=LIMIT) as answer:  # noqa: S310 - of this machine
        families = text_string_to_metric_families(answer.read().decode())
        samples = [sample for family in families for sample in family.samples]
    found: dict[str, dict[str, float]] = {}
    for one in samples:
        if "schedule" not in one.labels:
            found.setdefault(one.name, {})[one.labels["replica"]] = one.value
    return found


def test_the_supervisor_serves_the_metrics_of_all_replicas_also_of_one_that_was_started_again(story: Story) -> None:
    supervisor = story.start("gated.py", "--now=one", "--replicas=2", web=True)
    story.event("began", job="one")
    supervisor.wait_for_line("the metrics of all replicas: ")
    (line,) = supervisor.said("the metrics of all replicas: ")
    url = line["message"].rpartition(" ")[2]
    wait_until(lambda: set(scraped(url)["leased_replica_up"].values()) == {1.0}, "both answer")
    assert set(scraped(url)["leased_build_info"]) == {"0", "1"}
    first, second = (int(one["message"].rpartition(" ")[2]) for one in supervisor.said("of 2 is process"))
    os.kill(second, signal.SIGKILL)
    wait_until(lambda: len(supervisor.said("of 2 is process")) == 3, "it is started again")
    wait_until(lambda: set(scraped(url)["leased_replica_up"].values()) == {1.0}, "both answer again")
    assert is_alive(first)
    story.open("one")
    assert story.over("one").state == "succeeded"
