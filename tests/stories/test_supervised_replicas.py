"""`--replicas N`: replicas under a supervisor."""

import os
import signal
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.support.replicas import Story
from tests.support.telling import is_alive
from tests.support.waiting import wait_until

pytestmark = pytest.mark.extended


def test_of_three_replicas_one_that_is_killed_is_replaced_and_its_job_goes_on(postgres_story: Story) -> None:
    story = postgres_story
    supervisor = story.start("gated.py", "--now=one", "--replicas=3")
    story.event("began", job="one")
    wait_until(lambda: len(story.living()) == 3, "three replicas run")
    before = set(story.living())
    doomed = story.holder_pid(story.runs("one")[0].id)
    os.kill(doomed, signal.SIGKILL)
    again = story.event("began", job="one", number=2)
    assert again["token"] == 2
    wait_until(lambda: len(story.living()) == 3, "three replicas run again")
    assert len(set(story.living()) - before) == 1
    story.open("one")
    assert story.over("one").state == "succeeded"
    supervisor.send(signal.SIGTERM)
    assert supervisor.wait() == 143
    assert story.living() == []


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
