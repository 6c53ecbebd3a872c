"""Rule 20: the keeper ends the whole tree when trust ends, when the pipe closes, or when told."""

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.jobs.processes import spawn
from daemon.jobs.processes.process_tree import STATE, processes, stat
from daemon.jobs.processes.spawn import KeeperProcess, start_keeper
from daemon.jobs.templates.templates import Template
from lease.clock import boottime
from tests.daemon.jobs.family import FAMILY, STORM, linux, living, pids, stand_in
from tests.daemon.jobs.trust import a_page, end_trust
from tests.daemon.jobs.ways import WAYS, one_way, wait_until_ended
from tests.support.memory_cgroup import MemoryCgroup
from tests.support.starvation import Starvation
from tests.support.waiting import LIMIT, wait_until

pytestmark = [pytest.mark.usefixtures("processes"), pytest.mark.sampled(1)]

LONG = 3600.0


@pytest.fixture(params=WAYS, autouse=True)
def template(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Template | None]:
    with one_way(request.param) as template:
        monkeypatch.setattr(Kept, "template", template)
        yield template


class Kept:
    """A keeper spoken to directly."""

    template: Template | None = None

    def __init__(self, argv: list[str], *, trust: float = LONG, env: dict[str, str] | None = None) -> None:
        self.page = a_page(boottime() + trust)
        self.keeper: KeeperProcess = start_keeper(
            argv, None, env or dict(os.environ), self.page, template=self.template
        )
        self.keeper.control.setblocking(True)
        self.said = self.keeper.control.makefile("rb")
        self.printed = os.fdopen(os.dup(self.keeper.printed), "rb", buffering=0)

    def tell(self, word: bytes) -> None:
        self.keeper.control.sendall(word)

    def hear(self) -> Any:
        assert select.select([self.keeper.control], [], [], LIMIT)[0], "the keeper says nothing"
        line = self.said.readline()
        return json.loads(line) if line else None

    def go(self) -> int:
        self.tell(self.keeper.order)
        started = self.hear()["started"]
        assert isinstance(started, int)
        return started

    def line(self) -> str:
        text = b""
        while not text.endswith(b"\n"):
            assert select.select([self.printed], [], [], LIMIT)[0], "the child prints nothing"
            text += self.printed.read(1)
        return text.decode()

    def up(self) -> str:
        """Start the child, and return the first line that it prints."""
        self.go()
        return self.line()

    def ended(self) -> dict[str, Any]:
        told = {}
        while "ended" not in told:
            # readline may have taken more than a line: then the rest is not in the socket any more
            told = json.loads(self.said.readline())
        ended = told["ended"]
        assert isinstance(ended, dict)
        self.memory, self.out_of_memory = ended.pop("peak_memory"), ended.pop("out_of_memory")
        return ended

    def close(self) -> None:
        self.said.close()
        self.printed.close()
        self.keeper.close()
        self.page.close()
        wait_until_ended(self.keeper.process)


@pytest.fixture
def memory_cgroup() -> Iterator[MemoryCgroup]:
    with MemoryCgroup.made(50_000_000) as made:
        yield made


@pytest.fixture
def kept() -> Iterator[list[Kept]]:
    all_of_them: list[Kept] = []
    yield all_of_them
    for one in all_of_them:
        one.close()


@pytest.mark.parametrize(
    ("command", "status", "number"),
    [("exit 0", 0, None), ("exit 7", 7, None), ("kill -TERM $$", None, 15), ("kill -KILL $$", None, 9)],
)
@pytest.mark.sampled(4)
def test_exit_statuses_and_signals_are_told(kept: list[Kept], command: str, status: int, number: int) -> None:
    kept.append(one := Kept(["sh", "-c", command]))
    one.go()
    assert one.ended() == {"status": status, "signal": number, "why": "exited", "leftovers": 0}


HUNGRY = "print('begun', flush=True); text = bytearray(80_000_000); text[::4096] = bytes(len(text[::4096]))"


def test_the_memory_of_the_largest_process_of_the_tree_is_told(kept: list[Kept]) -> None:
    kept.append(small := Kept(["true"]))
    kept.append(large := Kept(["sh", "-c", '"$0" -c "$1" & wait', sys.executable, HUNGRY]))
    for one in (small, large):
        one.go()
        assert one.ended()["status"] == 0
        assert not one.out_of_memory
    assert 0 < small.memory < 80_000_000 < large.memory < 200_000_000


@linux
@pytest.mark.parametrize("command", ['exec "$0" -c "$1"', '"$0" -c "$1"; exit $?'])
@pytest.mark.sampled(2)
def test_a_child_that_the_kernel_kills_for_memory_is_told_as_such(
    kept: list[Kept], memory_cgroup: MemoryCgroup, command: str
) -> None:
    """Itself, or as the command of a shell."""
    kept.append(one := Kept(["sh", "-c", command, sys.executable, HUNGRY]))
    memory_cgroup.add(one.keeper.process.pid)
    assert one.up() == "begun\n"
    ended = one.ended()
    assert (ended["signal"], ended["status"]) in ((9, None), (None, 137))
    assert one.out_of_memory


@linux
def test_a_child_that_is_killed_otherwise_is_not(kept: list[Kept], memory_cgroup: MemoryCgroup) -> None:
    kept.append(one := Kept(["sh", "-c", "kill -KILL $$"]))
    memory_cgroup.add(one.keeper.process.pid)
    one.go()
    assert (one.ended()["signal"], one.out_of_memory) == (9, False)


def test_a_word_after_the_end_of_trust_starts_nothing(kept: list[Kept], tmp_path: Path) -> None:
    kept.append(one := Kept(["touch", str(tmp_path / "ran")], trust=-1))
    os.kill(one.keeper.process.pid, signal.SIGSTOP)  # so that both are there when it looks
    with contextlib.suppress(BrokenPipeError):  # unless it was quicker than we are, and has gone
        one.tell(one.keeper.order)
    os.kill(one.keeper.process.pid, signal.SIGCONT)
    assert one.ended()["why"] == "trust"
    assert not (tmp_path / "ran").exists()


@linux
def test_the_tree_is_killed_when_trust_ends(kept: list[Kept], starvation: Starvation) -> None:
    kept.append(one := Kept(FAMILY))
    members = pids(one.up())
    assert len(living(members)) == 3
    until = end_trust(one.page, 1.0)
    ended, at = one.ended(), boottime()
    assert at >= until
    starvation.assert_within(1.0, until, at, "the tree is gone")
    assert (ended["signal"], ended["why"]) == (signal.SIGKILL, "trust")
    assert living(members) == []


def test_trust_that_is_extended_keeps_it_running(kept: list[Kept]) -> None:
    kept.append(one := Kept(["sleep", "1000"]))
    one.go()
    first = end_trust(one.page, 1.0)
    one.page.extend(first + 0.5)
    assert one.ended()["why"] == "trust"
    assert boottime() >= first + 0.5


@linux
def test_the_tree_is_killed_at_the_end_of_trust_while_the_replica_is_stopped(
    template: Template | None, starvation: Starvation
) -> None:
    replica, told = stand_in(FAMILY, template=template is not None, trust=1.0, stop=True)
    members = pids(told["line"])
    wait_until(lambda: not living(members), "the tree is gone")
    gone = boottime()
    assert gone >= told["until"]
    starvation.assert_within(1.0, told["until"], gone, "the tree is gone")
    assert (stat(replica.pid) or [b""])[STATE] == b"T"
    replica.kill()
    replica.communicate()


@linux
@pytest.mark.parametrize("fork", [False, True], ids=["alone", "a fork of it holds the socket"])
@pytest.mark.sampled(2)
def test_the_tree_is_killed_within_a_second_when_the_replica_is_killed(
    fork: bool, template: Template | None, starvation: Starvation
) -> None:
    replica, told = stand_in(FAMILY, template=template is not None, fork=fork)
    members = pids(told["line"])
    assert len(living(members)) == 3
    killed = boottime()
    replica.kill()
    wait_until(
        lambda: not living([*members, told["keeper"], *([told["template"]] if template else [])]),
        "tree, keeper and template are gone",
    )
    starvation.assert_within(1.0, killed, boottime(), "tree, keeper and template are gone")
    if told["fork"]:
        os.kill(told["fork"], signal.SIGKILL)
    replica.wait()
    assert replica.stdout is not None
    replica.stdout.close()


def test_a_child_that_is_deaf_to_sigterm_is_killed_after_kill_time(kept: list[Kept], starvation: Starvation) -> None:
    kept.append(one := Kept(["sh", "-c", 'trap "" TERM; echo up; while :; do sleep 0.01; done']))
    one.up()
    began = boottime()
    one.tell(b"stop 0.3\n")
    ended, at = one.ended(), boottime()
    assert (ended["signal"], ended["why"]) == (signal.SIGKILL, "stopped")
    assert at - began >= 0.3
    starvation.assert_within(2.0, began, at, "it is killed")


@linux
def test_kill_time_is_for_the_whole_tree(kept: list[Kept], tmp_path: Path) -> None:
    inner = f'trap "sleep 0.3; echo done > {tmp_path}/done; exit" TERM; echo up; while :; do sleep 0.01; done'
    kept.append(one := Kept(["sh", "-c", f"sh -c '{inner}'; true"]))
    one.up()
    one.tell(b"stop 10\n")
    assert one.ended()["why"] == "stopped"
    assert (tmp_path / "done").exists()


def test_a_second_stop_may_shorten_kill_time(kept: list[Kept]) -> None:
    kept.append(one := Kept(["sh", "-c", 'trap "" TERM; echo up; while :; do sleep 0.01; done']))
    one.up()
    one.tell(b"stop 3600\nstop 0\n")
    assert one.ended()["why"] == "stopped"


@linux
def test_a_storm_of_forks_is_ended_to_the_last(kept: list[Kept]) -> None:
    kept.append(one := Kept(STORM))
    one.up()
    keeper = one.keeper.process.pid
    one.tell(b"kill\n")
    assert one.ended()["leftovers"] >= 0
    mark = f"LEASED_KEEPER={keeper}.".encode()
    assert not [pid for pid in processes() if _carries(pid, mark)]


def _carries(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


@linux
def test_nothing_of_a_tree_acts_on_the_death_of_another_part_of_it(kept: list[Kept], tmp_path: Path) -> None:
    kept.append(one := Kept(["sh", "-c", f"echo up; sleep 1000; touch {tmp_path}/went-on"]))
    one.up()
    one.tell(b"kill\n")
    assert one.ended()["why"] == "killed"
    assert not (tmp_path / "went-on").exists()


def test_signals_to_the_keeper_do_not_reach_the_child_nor_end_the_keeper(kept: list[Kept]) -> None:
    kept.append(one := Kept(["sleep", "1000"]))
    pid = one.go()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
        os.killpg(one.keeper.process.pid, number)
    assert living([pid]) == [pid]
    one.tell(b"kill\n")
    assert one.ended()["why"] == "killed"


def test_the_child_gets_the_usual_signals_back_and_only_the_descriptors_that_it_is_told(kept: list[Kept]) -> None:
    program = """
import os, signal
deaf = [n.name for n in signal.valid_signals() if n not in (signal.SIGPIPE, signal.SIGXFSZ) and
        isinstance(n, signal.Signals) and signal.getsignal(n) == signal.SIG_IGN]
told = {int(os.environ["LEASED_REPORT_FD"]), int(os.environ["LEASED_TRUST"].partition(":")[0])}
has = {fd for fd in range(64) if os.path.exists(f"/dev/fd/{fd}")}
print(deaf, told < has, sorted(has - told), os.getpgrp() == os.getpid())
"""
    kept.append(one := Kept([sys.executable, "-I", "-S", "-c", program]))
    assert one.up() == "[] True [0, 1, 2] True\n"


def test_the_child_gets_the_limit_of_descriptors_back_that_the_replica_has_raised_for_itself(
    kept: list[Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawn, "_limit_of_children", 99)
    kept.append(one := Kept(["sh", "-c", "ulimit -Sn; ulimit -Hn"]))
    assert (one.up(), one.line()) == ("99\n", f"{resource.getrlimit(resource.RLIMIT_NOFILE)[1]}\n")


def test_the_keeper_runs_isolated_and_imports_little() -> None:
    script = Path(__file__).parents[3] / "daemon" / "jobs" / "processes" / "keeper_main.py"
    program = f"import sys, runpy; sys.argv = ['keeper']; runpy.run_path({str(script)!r}); print(len(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": "/nonexistent", "PYTHONSTARTUP": "/nonexistent"}
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], env=environment, check=True, capture_output=True
    )
    assert int(answer.stdout) < 80
