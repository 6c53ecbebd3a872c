"""A replica inside a web application, which a real server runs: it drains with that, and another one goes on."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.replicas import Story
from tests.support.telling import is_alive
from tests.support.waiting import LIMIT, wait_until

UVICORN = ("-m", "uvicorn", "tests.stories.applications.embedding:app", "--port", "0")
RUNNING = re.compile(r"Uvicorn running on (http://\S+)")

Start = Callable[..., "WebServerProcess"]


class WebServerProcess:
    """A process of uvicorn; its output goes to a file."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self.log = log

    def up(self) -> str:
        """Wait until it serves, and return where."""
        wait_until(lambda: RUNNING.search(self.log.read_text()) or self.process.poll() is not None, "it serves")
        found = RUNNING.search(self.log.read_text())
        assert found, self.log.read_text()
        return found[1]

    def ended(self) -> int:
        """Wait until it has ended, and return its exit status."""
        status = self.process.wait(LIMIT)
        assert "Traceback" not in self.log.read_text(), self.log.read_text()
        return status


@pytest.fixture
def start(story: Story) -> Start:
    numbers = count(1)

    def begun(words: Sequence[str] = UVICORN, **settings: str) -> WebServerProcess:
        given = {"LEASED_LEASE_TTL": "6s", "LEASED_POLL": "0.2s", "DATABASE_URL": story.url, **settings}
        log = story.folder / f"web-{next(numbers)}.log"
        return WebServerProcess(story.spawn([sys.executable, *words], log, given), log)

    return begun


def readyz(address: str) -> Any:
    with urllib.request.urlopen(f"{address}/readyz", timeout=LIMIT) as answer:  # noqa: S310 - our own server
        return json.load(answer)


@pytest.mark.parametrize("kind", ["child", "task"])
@pytest.mark.sampled(1)
def test_what_is_left_after_grace_goes_on_with_another_replica(story: Story, start: Start, kind: str) -> None:
    """The job has no retries (rule 16), and the lease would last for another minute."""
    first = start(LEASED_GRACE="0.2s", LEASED_LEASE_TTL="60s")
    assert readyz(first.up()) == {"ready": True, "problems": {}}
    story.trigger(kind)
    began = story.event("began", job=kind)
    second = start(LEASED_LEASE_TTL="60s")
    second.up()
    first.process.send_signal(signal.SIGTERM)
    assert first.ended() == -signal.SIGTERM
    again = story.event("began", job=kind, number=2)
    assert (began["token"], again["token"]) == (1, 2)
    assert story.holder_pid(again["run"]) == second.process.pid
    story.open(kind)
    assert story.over(kind).state == "succeeded"
    assert story.attempts(kind) == [(kind, 1, "stopped"), (kind, 2, "succeeded")]


def test_a_server_that_is_killed_takes_its_jobs_with_it(story: Story, start: Start) -> None:
    """Rules 18 and 20."""
    first = start(LEASED_LEASE_TTL="60s")
    first.up()
    story.trigger("child")
    began = story.event("began", job="child")
    first.process.kill()
    wait_until(lambda: not is_alive(began["pid"]), "its child is gone")
    start(LEASED_LEASE_TTL="60s").up()
    story.open("child")
    assert story.over("child").state == "succeeded"
    assert story.attempts("child") == [("child", 1, "abandoned"), ("child", 2, "succeeded")]


@pytest.mark.extended
def test_a_program_of_its_own_has_its_functions_found_by_its_file(story: Story, start: Start) -> None:
    """And its children get the URL of the database, but no other secret of the replica."""
    program = start([story.file("embedding.py")], LEASED_WEB_TOKEN="secret", LEASED_DATABASE_URL="sqlite:///other.db")
    program.up()
    story.open("child")
    story.trigger("child")
    began = story.event("began", job="child")
    assert began["url"] == story.url.replace("+psycopg", "")
    assert "LEASED_WEB_TOKEN" not in began["told"]
    assert story.over("child").state == "succeeded"
    program.process.send_signal(signal.SIGTERM)
    assert program.ended() == -signal.SIGTERM
