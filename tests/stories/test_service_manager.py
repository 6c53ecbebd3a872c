"""The service manager of a replica, and of a supervisor for all of its replicas (sd_notify)."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.notify_socket import NotifySocket
from tests.support.replicas import Story
from tests.support.waiting import wait_until

FILE = """
from daemon import Schedules

schedules = Schedules("edited")
schedules.add("looks", cron="0 3 1 1 *").command("looks", "env | sort > environment; mv environment seen")
"""


@pytest.fixture
def manager(story_folder: Path) -> Iterator[NotifySocket]:
    with NotifySocket(str(story_folder / "notify")) as made:
        yield made


def test_a_lone_replica_tells_it_through_a_start_anew_and_its_jobs_do_not(
    postgres_story: Story, manager: NotifySocket
) -> None:
    story = postgres_story
    told = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "2000000"}
    file = story.write_file("edited.py", FILE)
    replica = story.start(file, environment=told)
    assert f"MAINPID={replica.pid}" in manager.wait_for("READY=1")
    manager.wait_for("WATCHDOG=1", 2)
    story.trigger("looks")
    wait_until((story.folder / "seen").exists, "the job has looked around")
    environment = (story.folder / "seen").read_text()
    assert "LEASED_SCHEDULE=looks" in environment
    assert "NOTIFY_SOCKET" not in environment
    assert "WATCHDOG" not in environment
    replica.send(signal.SIGHUP)
    reloading = manager.wait_for("RELOADING=1")
    assert reloading[1].startswith("MONOTONIC_USEC=")
    assert f"MAINPID={replica.pid}" in manager.wait_for("READY=1", 2)
    so_far = len(manager.heard("WATCHDOG=1"))
    manager.wait_for("WATCHDOG=1", so_far + 1)
    story.write_file("edited.py", "half a li")
    replica.send(signal.SIGHUP)
    manager.wait_for("RELOADING=1", 2)
    assert "STATUS=FILE was not reloaded because it has an error" in manager.wait_for("READY=1", 3)
    assert manager.heard("STOPPING=1") == []
    replica.send(signal.SIGTERM)
    manager.wait_for("STOPPING=1")
    assert replica.wait() == 143


@pytest.mark.extended
def test_a_supervisor_tells_it_for_all_of_its_replicas(postgres_story: Story, manager: NotifySocket) -> None:
    story = postgres_story
    file = story.write_file("edited.py", FILE)
    environment = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "2000000"}
    supervisor = story.start(file, "--replicas=2", environment=environment)
    assert f"MAINPID={supervisor.pid}" in manager.wait_for("READY=1")
    manager.wait_for("STATUS=2 of 2 replicas are ready")
    manager.wait_for("WATCHDOG=1")
    supervisor.send(signal.SIGHUP)
    manager.wait_for("RELOADING=1")
    manager.wait_for("STATUS=SIGHUP: all 2 replicas are replaced")
    assert {line for one in manager.heard("READY=1") for line in one if line.startswith("MAINPID")} == {
        f"MAINPID={supervisor.pid}"
    }
    supervisor.send(signal.SIGTERM)
    manager.wait_for("STOPPING=1")
    assert supervisor.wait() == 143
