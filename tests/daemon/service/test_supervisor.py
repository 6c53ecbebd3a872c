"""The supervisor, over a small command that stands for a replica; the signals are real."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.service.supervision.supervisor import Restarts
from tests.support.telling import is_alive
from tests.support.waiting import LIMIT, wait_until

ROOT = Path(__file__).parents[3]
REPLICA = Path(__file__).with_name("stand_in_replica.py")
SUPERVISOR = """
import asyncio, os, sys
from pathlib import Path
from daemon.service.outside.file_check import CheckedFile, CommandLine, WrongFile
from daemon.service.outside.outside import Outside
from daemon.service.supervision.supervisor import Restarts, Supervisor

folder, count, until_idle, replica = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "idle", sys.argv[4]
file = folder / "file"
report = lambda text: print(text, file=sys.stderr, flush=True)
warn = lambda text: report(f"warning: {text}")

class StandIn(CommandLine):
    def arguments(self):
        return [sys.executable, replica, folder]

async def check():
    text = file.read_text()
    first, *more = text.splitlines()
    return WrongFile(first, tuple(more)) if "wrong" in text else CheckedFile(text)

outside = Outside.found(report)
outside.check = check
line = StandIn(str(file), {}, until_idle, str(folder), dict(os.environ))
supervisor = Supervisor(
    line, count, CheckedFile(file.read_text()), outside, report=report, warn=warn, restarts=Restarts(0.01, 0.02),
    ready_within=float(os.environ.get("READY_WITHIN", "60")),
)
sys.exit(asyncio.run(supervisor.run()))
"""


class Supervised:
    """A supervisor in a process of its own, and the folder in which its replicas leave word."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes]
        self.write_file("one")

    def start(self, count: int, mode: str = "service", **environment: str) -> None:
        command = [sys.executable, "-c", SUPERVISOR, str(self.folder), str(count), mode, str(REPLICA)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, stderr=log
            )

    def up(self, count: int, **environment: str) -> set[int]:
        """Start it, and return the pids of its replicas once they are ready."""
        self.start(count, **environment)
        return set(self.wait_for("ready", count))

    def hang_up(self, text: str | None = None) -> None:
        """Ask it for replicas with the file as it is then."""
        if text is not None:
            self.write_file(text)
        self.process.send_signal(signal.SIGHUP)

    def wait(self) -> int:
        """Return its status when it has ended."""
        return self.process.wait(LIMIT)

    def hold_up(self) -> None:
        """Let replicas that drain take their time, until they are let go."""
        (self.folder / "slow").touch()

    def let_go(self) -> None:
        (self.folder / "slow").unlink()

    def end_with(self, status: int, index: int = 0) -> None:
        """Let the replica of this number end by itself; its file comes whole, for it looks for it all the time."""
        draft = self.folder / f".status.{index}"
        draft.write_text(str(status))
        draft.rename(self.folder / f"status.{index}")

    def write_file(self, text: str) -> None:
        (self.folder / "file").write_text(text)

    def reports(self, text: str) -> list[str]:
        """What the supervisor has said that contains this text."""
        return [line for line in self.log.read_text().splitlines() if text in line]

    def wait_for_report(self, text: str, count: int = 1) -> str:
        wait_until(lambda: len(self.reports(text)) >= count, f"{text!r}, after {self.log.read_text()}")
        return self.reports(text)[count - 1]

    def alive(self) -> set[int]:
        return {pid for pid in self.said("ready") if is_alive(pid)}

    def said(self, word: str) -> list[int]:
        """The pids of the replicas that said so."""
        return [int(path.name.rpartition(".")[2]) for path in self.folder.glob(f"{word}.*")]

    def wait_for(self, word: str, count: int = 1) -> list[int]:
        wait_until(lambda: len(self.said(word)) >= count, f"{count} times {word}, there is {self.said(word)}")
        return self.said(word)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def supervised(tmp_path: Path, processes: None) -> Iterator[Supervised]:
    made = Supervised(tmp_path)
    yield made
    made.end()


def test_a_replica_that_dies_is_started_again(supervised: Supervised) -> None:
    os.kill(min(supervised.up(2)), signal.SIGKILL)
    assert len(supervised.wait_for("ready", 3)) == 3
    assert {path.read_text() for path in supervised.folder.glob("ready.*")} == {"0", "1"}, "each knows its number"
    assert supervised.process.poll() is None
    supervised.process.terminate()
    assert supervised.wait() == 143


def test_the_first_signal_is_passed_on_once_and_all_are_waited_for(supervised: Supervised) -> None:
    supervised.up(2)
    supervised.hold_up()
    supervised.process.send_signal(signal.SIGTERM)
    supervised.wait_for("draining", 2)
    assert supervised.process.poll() is None
    assert supervised.said("stopping-at-once") == []
    supervised.let_go()
    assert supervised.wait() == 143
    assert supervised.said("stopping-at-once") == []


@pytest.mark.extended
def test_the_second_signal_is_passed_on_too_and_the_third_kills(supervised: Supervised) -> None:
    pids = supervised.up(2)
    (supervised.folder / "deaf").touch()
    for word in ("draining", "stopping-at-once"):
        supervised.process.send_signal(signal.SIGINT)
        supervised.wait_for(word, 2)
    supervised.process.send_signal(signal.SIGINT)
    assert supervised.wait() == 130
    assert not any(map(is_alive, pids))


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_when_the_supervisor_is_killed_its_replicas_notice_and_end(supervised: Supervised) -> None:
    pids = supervised.up(2)
    supervised.end()
    supervised.wait_for("orphaned", 2)
    for pid in pids:
        wait_until(lambda pid=pid: not is_alive(pid), f"replica {pid} ends")  # type: ignore[misc]


@pytest.mark.extended
def test_until_idle_the_status_is_the_worst(supervised: Supervised) -> None:
    supervised.end_with(0)
    supervised.end_with(1, index=1)
    supervised.start(2, "idle")
    assert supervised.wait() == 1
    assert len(supervised.said("ready")) == 2


@pytest.mark.extended
def test_until_idle_a_replica_that_a_signal_ended_is_started_again(supervised: Supervised) -> None:
    supervised.start(1, "idle")
    (pid,) = supervised.wait_for("ready")
    supervised.end_with(0)
    os.kill(pid, signal.SIGKILL)
    assert supervised.wait() == 0
    assert len(supervised.said("ready")) == 2


def test_a_wait_doubles_up_to_a_limit_and_begins_anew_after_a_healthy_minute() -> None:
    restarts = Restarts()
    waits = [restarts.wait(0, 0)]
    for _ in range(7):
        waits.append(restarts.wait(waits[-1], 1))
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert restarts.wait(30, 61) == 0.5


# SIGHUP


def test_on_sighup_each_replica_is_replaced_by_one_that_is_ready_before_it_drains(supervised: Supervised) -> None:
    before = supervised.up(2)
    supervised.hold_up()
    supervised.hang_up("two")
    (first,) = supervised.wait_for("draining")
    assert len(supervised.said("ready")) == 3, "its successor is ready, and no other one is started"
    assert first in before
    assert supervised.alive() >= before
    supervised.let_go()
    supervised.wait_for_report("all 2 replicas are replaced")
    assert len(supervised.said("ready")) == 4
    assert len(supervised.alive()) == 2
    assert not supervised.alive() & before
    assert supervised.said("stopping-at-once") == []


@pytest.mark.extended
def test_what_is_wrong_with_the_file_is_told_and_no_replica_restarts(supervised: Supervised) -> None:
    before = supervised.up(2)
    supervised.hang_up("wrong: line 3\nline 7")
    assert supervised.wait_for_report("SIGHUP") == "warning: SIGHUP: no replica was replaced: wrong: line 3"
    supervised.wait_for_report("warning: SIGHUP: line 7")
    assert supervised.alive() == before
    supervised.hang_up("right")
    supervised.wait_for_report("all 2 replicas are replaced")


@pytest.mark.extended
def test_a_file_that_changes_after_its_check_stops_the_roll_and_the_old_ones_go_on(supervised: Supervised) -> None:
    before = supervised.up(2)
    supervised.hang_up("slow to start")
    (starting,) = supervised.wait_for("starting")
    os.kill(starting, signal.SIGKILL)
    said = supervised.wait_for_report("SIGHUP: the new replica 1")
    assert said.endswith("was killed by SIGKILL before it was ready; all replicas continue as they were")
    supervised.write_file("three")
    first = int(supervised.wait_for_report("replica 1 of 2 is process").rpartition(" ")[2])
    os.kill(first, signal.SIGKILL)
    supervised.wait_for("refused")
    supervised.wait_for_report("replica 1 did not start because FILE has changed since it was checked; send SIGHUP")
    assert supervised.alive() == before - {first}
    supervised.hang_up()
    supervised.wait_for_report("all 2 replicas are replaced")
    assert len(supervised.alive()) == 2


@pytest.mark.extended
def test_a_replica_that_was_replaced_is_restarted_with_what_it_was_checked_with(supervised: Supervised) -> None:
    supervised.up(1)
    supervised.hang_up("two")
    supervised.wait_for_report("all 1 replicas are replaced")
    (pid,) = supervised.alive()
    os.kill(pid, signal.SIGKILL)
    supervised.wait_for("ready", 3)
    assert supervised.said("refused") == []


@pytest.mark.extended
def test_a_new_replica_that_is_not_ready_in_time_ends_and_the_old_ones_go_on(supervised: Supervised) -> None:
    before = supervised.up(2, READY_WITHIN="0.5")
    supervised.hang_up("slow to start")
    said = "the new replica 1 was not ready within 0.5s; all replicas continue as they were"
    wait_until(lambda: supervised.reports(said) or before & set(supervised.said("draining")), said)
    assert not before & set(supervised.said("draining"))
    started = [int(line.rpartition(" ")[2]) for line in supervised.reports("is process")]
    assert len(started) == 3
    wait_until(lambda: not is_alive(started[2]), "it ends")
    assert supervised.alive() == before


@pytest.mark.extended
def test_several_sighups_while_replicas_are_replaced_replace_them_once_more(supervised: Supervised) -> None:
    supervised.up(2)
    supervised.hold_up()
    supervised.hang_up()
    supervised.wait_for("draining")
    for count in (1, 2):
        supervised.hang_up()
        supervised.wait_for_report("will be replaced again after that", count)
    supervised.let_go()
    supervised.wait_for_report("all 2 replicas are replaced", 2)
    assert len(supervised.said("ready")) == 6
    supervised.process.terminate()
    assert supervised.wait() == 143
    assert len(supervised.reports("all 2 replicas are replaced")) == 2


@pytest.mark.extended
@pytest.mark.parametrize("starting", [False, True], ids=["an old one drains", "a new one starts"])
def test_sigterm_while_replicas_are_replaced_drains_all_of_them_once(supervised: Supervised, starting: bool) -> None:
    supervised.up(2)
    supervised.hold_up()
    supervised.hang_up("slow to start" if starting else "two")
    supervised.wait_for("starting" if starting else "draining")
    assert len(supervised.said("ready")) == (2 if starting else 3)
    supervised.process.send_signal(signal.SIGTERM)
    supervised.wait_for("draining", 3)
    supervised.let_go()
    assert supervised.wait() == 143
    assert supervised.said("stopping-at-once") == []
    assert supervised.alive() == set()
    assert all(not is_alive(pid) for pid in supervised.said("starting"))


@pytest.mark.extended
def test_sighup_is_ignored_while_all_end_and_by_those_that_end_by_themselves(supervised: Supervised) -> None:
    supervised.up(1)
    supervised.hold_up()
    supervised.process.send_signal(signal.SIGTERM)
    supervised.wait_for("draining")
    supervised.hang_up()
    supervised.wait_for_report("SIGHUP: ignored because the replicas are stopping")
    supervised.let_go()
    assert supervised.wait() == 143
    supervised.start(1, "idle")
    supervised.wait_for("ready", 2)
    supervised.hang_up()
    supervised.wait_for_report("SIGHUP: ignored because with --until-idle")
    supervised.end_with(0)
    assert supervised.wait() == 0
