"""A replica inside a web application, which a real server runs: it drains with that, and another one goes on."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from daemon.store.tables import replica as replica_table
from tests.support.marked import marked_environment
from tests.support.replicas import Story
from tests.support.telling import FOLDER, is_alive
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
def start(story: Story) -> Iterator[Start]:
    started: list[WebServerProcess] = []

    def begun(words: Sequence[str] = UVICORN, **settings: str) -> WebServerProcess:
        given = {"LEASED_LEASE_TTL": "6s", "LEASED_POLL": "0.2s", "DATABASE_URL": story.url, **settings}
        log = story.folder / f"web-{len(started) + 1}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=story.folder,
                env=marked_environment(FOLDER, story.folder, given),
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        started.append(WebServerProcess(process, log))
        return started[-1]

    yield begun
    for server in started:
        server.process.kill()
        server.process.wait()
        sys.stderr.write(f"--- {server.log.name}\n{server.log.read_text()}\n")


def readyz(address: str) -> Any:
    with urllib.request.urlopen(f"{address}/readyz", timeout=LIMIT) as answer:  # noqa: S310 - our own server
        return json.load(answer)


def state(story: Story, server: WebServerProcess) -> str:
    ((found,),) = story.rows(select(replica_table.c.state).where(replica_table.c.pid == server.process.pid))
    return str(found)


@pytest.mark.parametrize("kind", ["child", "task", "command"])
@pytest.mark.extended
def test_on_sigterm_a_job_finishes_and_another_replica_goes_on(story: Story, start: Start, kind: str) -> None:
    first = start()
    assert readyz(first.up()) == {"ready": True, "problems": {}}
    story.trigger(kind)
    began = story.event("began", job=kind)
    first.process.send_signal(signal.SIGTERM)
    wait_until(lambda: state(story, first) == "draining", "it drains")
    second = start()
    second.up()
    story.trigger("task" if kind == "command" else "command")
    story.event("began", job="task" if kind == "command" else "command")
    assert story.holder_pid(began["run"]) == first.process.pid
    story.open(kind)
    assert first.ended() == -signal.SIGTERM
    assert (story.over(kind).state, story.over(kind).attempt) == ("succeeded", 1)
    assert state(story, first) == "stopped"
    assert state(story, second) == "running"


@pytest.mark.parametrize("kind", ["child", "task"])
@pytest.mark.sampled(1)
def test_what_is_left_after_grace_goes_on_with_another_replica(story: Story, start: Start, kind: str) -> None:
    """The job has no retries (rule 16), and the lease would last for another minute."""
    first = start(LEASED_GRACE="0.2s", LEASED_LEASE_TTL="60s")
    first.up()
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


@pytest.mark.extended
def test_a_program_that_would_start_itself_again_in_a_child_is_told(story: Story, start: Start) -> None:
    text = Path(story.file("embedding.py")).read_text().replace('if __name__ == "__main__":', "if True:")
    program = start([story.write_file("unguarded.py", text)])
    program.up()
    story.trigger("child")
    run = story.over("child")
    assert run.state == "failed"
    ((error,),) = [(one.error,) for one in story.job_runs("child")]
    assert 'put the code that exits under: if __name__ == "__main__"' in error
