"""The supervisor, over a small command that stands for a replica; the signals are real."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.service.supervisor import Restarts
from tests.support.waiting import LIMIT, wait_until

REPLICA = Path(__file__).with_name("stand_in_replica.py")
SUPERVISOR = """
import asyncio, sys
from daemon.service.supervisor import Restarts, Supervisor
folder, count, until_idle, replica = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "idle", sys.argv[4]
command = lambda index: [sys.executable, replica, folder]
report = lambda text: print(text, file=sys.stderr, flush=True)
restarts = Restarts(first=0.01, longest=0.02)
sys.exit(asyncio.run(Supervisor(command, count, until_idle=until_idle, report=report, restarts=restarts).run()))
"""


class Supervised:
    """A supervisor in a process of its own, and the folder in which its replicas leave word."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, count: int, mode: str = "service") -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", SUPERVISOR, str(self.folder), str(count), mode, str(REPLICA)]
        self._process = subprocess.Popen(command, cwd=Path(__file__).parents[3])
        return self._process

    def said(self, word: str) -> list[int]:
        """The pids of the replicas that said so."""
        return [int(path.name.rpartition(".")[2]) for path in self.folder.glob(f"{word}.*")]

    def wait_for(self, word: str, count: int = 1) -> list[int]:
        wait_until(lambda: len(self.said(word)) >= count, f"{count} times {word}, there is {self.said(word)}")
        return self.said(word)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def supervised(tmp_path: Path, processes: None) -> Iterator[Supervised]:
    made = Supervised(tmp_path)
    yield made
    made.end()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_replica_that_dies_is_started_again(supervised: Supervised) -> None:
    process = supervised.start(2)
    first = supervised.wait_for("ready", 2)
    os.kill(first[0], signal.SIGKILL)
    assert len(supervised.wait_for("ready", 3)) == 3
    assert process.poll() is None
    process.terminate()
    assert process.wait(LIMIT) == 143


def test_each_replica_knows_its_number(supervised: Supervised) -> None:
    process = supervised.start(3)
    supervised.wait_for("ready", 3)
    numbers = sorted(path.read_text() for path in supervised.folder.glob("ready.*"))
    assert numbers == ["0", "1", "2"]
    process.terminate()
    process.wait(LIMIT)


def test_the_first_signal_is_passed_on_once_and_all_are_waited_for(supervised: Supervised) -> None:
    process = supervised.start(2)
    supervised.wait_for("ready", 2)
    (supervised.folder / "slow").touch()
    process.send_signal(signal.SIGTERM)
    supervised.wait_for("draining", 2)
    assert process.poll() is None
    assert supervised.said("stopping-at-once") == []
    (supervised.folder / "slow").unlink()
    assert process.wait(LIMIT) == 143
    assert supervised.said("stopping-at-once") == []


def test_the_second_signal_is_passed_on_too(supervised: Supervised) -> None:
    process = supervised.start(2)
    supervised.wait_for("ready", 2)
    (supervised.folder / "slow").touch()
    process.send_signal(signal.SIGINT)
    supervised.wait_for("draining", 2)
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT) == 130
    assert len(supervised.said("stopping-at-once")) == 2


def test_the_third_signal_kills(supervised: Supervised) -> None:
    process = supervised.start(1)
    (pid,) = supervised.wait_for("ready")
    (supervised.folder / "deaf").touch()
    for word in ("draining", "stopping-at-once"):
        process.send_signal(signal.SIGTERM)
        supervised.wait_for(word)
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT) == 143
    assert gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_when_the_supervisor_is_killed_its_replicas_notice_and_end(supervised: Supervised) -> None:
    process = supervised.start(2)
    pids = supervised.wait_for("ready", 2)
    process.kill()
    process.wait()
    supervised.wait_for("orphaned", 2)
    for pid in pids:
        wait_until(lambda pid=pid: gone(pid), f"replica {pid} ends")  # type: ignore[misc]


def test_until_idle_the_status_is_the_worst(supervised: Supervised) -> None:
    (supervised.folder / "status.0").write_text("0")
    (supervised.folder / "status.1").write_text("1")
    assert supervised.start(2, "idle").wait(LIMIT) == 1
    assert len(supervised.said("ready")) == 2


def test_until_idle_a_replica_that_a_signal_ended_is_started_again(supervised: Supervised) -> None:
    process = supervised.start(1, "idle")
    (pid,) = supervised.wait_for("ready")
    (supervised.folder / "status.0").write_text("0")
    os.kill(pid, signal.SIGKILL)
    assert process.wait(LIMIT) == 0
    assert len(supervised.said("ready")) == 2


def test_a_wait_doubles_up_to_a_limit_and_begins_anew_after_a_healthy_minute() -> None:
    restarts = Restarts()
    waits = [restarts.wait(None, 0)]
    for _ in range(7):
        waits.append(restarts.wait(waits[-1], 1))
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert restarts.wait(30, 61) == 0.5
