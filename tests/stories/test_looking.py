"""`leased stack`: what a job at work does, asked from another process, and the job goes on (rule 23)."""

import json
import os
import signal
from typing import Any

import pytest

from tests.support.replicas import Story
from tests.support.waiting import wait_until

pytestmark = pytest.mark.extended


def looked(story: Story, name: str) -> dict[str, Any]:
    command = story.leased("stack", name, "--json", "--timeout=60s", "--by=bob")
    assert command.wait() == 0, command.output
    found: dict[str, Any] = json.loads(command.output.splitlines()[-1])
    return found


def test_a_function_shows_where_it_stands_and_succeeds_and_one_that_is_frozen_shows_its_process(story: Story) -> None:
    replica = story.start("standing.py", "--now=one")
    began = story.event("began", job="one")
    found = looked(story, "one")
    assert (found["run_id"], found["job"], found["isolation"]) == (began["run"], "one", "process")
    assert (found["asked_by"], found["pid"]) == ("bob", replica.pid)
    assert found["stacks"][0]["of"] == "main thread"
    assert [frame for frame in found["stacks"][0]["frames"] if "standing.py" in frame]
    assert found["processes"][0]["pid"] == began["pid"]
    assert replica.said(f"bob asked for the stack of run {began['run']}")
    os.kill(began["pid"], signal.SIGSTOP)
    frozen: dict[str, Any] = {}

    def is_frozen() -> bool:
        frozen.update(looked(story, "one"))
        return bool(frozen["processes"][0]["state"] == "stopped")

    wait_until(is_frozen, "it is stopped")
    assert (frozen["stacks"], "is stopped" in frozen["remarks"][0]) == ([], True)
    os.kill(began["pid"], signal.SIGCONT)
    story.open("one")
    assert (story.over("one").state, story.over("one").attempt) == ("succeeded", 1)
    over = story.leased("stack", str(began["run"]))
    assert over.wait() == 1
    assert "no replica can be asked: run 1 of one succeeded" in over.output
