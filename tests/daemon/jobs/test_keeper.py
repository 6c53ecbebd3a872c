"""Rule 20: the keeper ends the whole tree when trust ends, when the pipe closes, or when told."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.jobs.processes import child as child_of_a_replica
from daemon.jobs.processes import spawn
from daemon.jobs.processes.child import Child, ChildEnd
from daemon.jobs.processes.process_tree import processes
from daemon.jobs.processes.spawn import ChildNotStarted
from daemon.jobs.processes.trust_page import TrustPage
from daemon.jobs.templates.templates import Template
from lease.clock import boottime
from tests.daemon.jobs.conftest import Start, begun, end_of, printed, up
from tests.daemon.jobs.family import FAMILY, STORM, linux, living, pids, stand_in, state
from tests.daemon.jobs.trust import a_page, end_trust
from tests.support.memory_cgroup import MemoryCgroup
from tests.support.starvation import Starvation
from tests.support.waiting import LIMIT, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("processes"), pytest.mark.sampled(1)]


@pytest.fixture(autouse=True)
def no_replica_acts_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_of_a_replica, "PATIENCE", LIMIT)


@pytest.fixture
def memory_cgroup() -> Iterator[MemoryCgroup]:
    with MemoryCgroup.made(50_000_000) as made:
        yield made


async def killed(child: Child) -> ChildEnd:
    """Let its keeper kill it."""
    child.kill()
    ended = await end_of(child)
    assert (ended.why, child._keeper_killed) == ("killed", False)
    return ended


@pytest.mark.parametrize(
    ("command", "status", "number"),
    [("exit 0", 0, None), ("exit 7", 7, None), ("kill -TERM $$", None, 15), ("kill -KILL $$", None, 9)],
)
@pytest.mark.sampled(4)
async def test_exit_statuses_and_signals_are_told(
    start: Start, command: str, status: int | None, number: int | None
) -> None:
    ended = await end_of(await begun(start, "sh", "-c", command))
    assert (ended.status, ended.signal, ended.why, ended.leftovers) == (status, number, "exited", 0)


HUNGRY = "print('begun', flush=True); text = bytearray(80_000_000); text[::4096] = bytes(len(text[::4096]))"


async def test_the_memory_of_the_largest_process_of_the_tree_is_told(start: Start) -> None:
    commands = ["true"], ["sh", "-c", '"$0" -c "$1" & wait', sys.executable, HUNGRY]
    small, large = [await end_of(await begun(start, *command)) for command in commands]
    for one in (small, large):
        assert (one.status, one.out_of_memory) == (0, False)
    assert 0 < (small.peak_memory or 0) < 80_000_000 < (large.peak_memory or 0) < 200_000_000


@linux
@pytest.mark.parametrize("command", ['exec "$0" -c "$1"', '"$0" -c "$1"; exit $?'])
@pytest.mark.sampled(2)
async def test_a_child_that_the_kernel_kills_for_memory_is_told_as_such(
    start: Start, memory_cgroup: MemoryCgroup, command: str
) -> None:
    """Itself, or as the command of a shell."""
    child = await start("sh", "-c", command, sys.executable, HUNGRY)
    memory_cgroup.add(child.keeper.pid)
    await child.go()
    ended = await end_of(child)
    assert printed(child).startswith("begun\n")
    assert (ended.signal, ended.status) in ((9, None), (None, 137))
    assert ended.out_of_memory


@linux
async def test_a_child_that_is_killed_otherwise_is_not(start: Start, memory_cgroup: MemoryCgroup) -> None:
    child = await start("sh", "-c", "kill -KILL $$")
    memory_cgroup.add(child.keeper.pid)
    await child.go()
    ended = await end_of(child)
    assert (ended.signal, ended.out_of_memory) == (9, False)


async def test_a_word_after_the_end_of_trust_starts_nothing(start: Start, tmp_path: Path) -> None:
    page = a_page(boottime() - 1)
    child = await start("touch", str(tmp_path / "ran"), trust=page)
    os.kill(child.keeper.pid, signal.SIGSTOP)  # so that both are there when it looks
    going = asyncio.create_task(child.go())
    await asyncio.sleep(0)
    os.kill(child.keeper.pid, signal.SIGCONT)
    with pytest.raises(ChildNotStarted):
        await going
    assert (await end_of(child)).why == "trust"
    assert not (tmp_path / "ran").exists()
    page.close()


@linux
async def test_the_tree_is_killed_when_trust_ends(start: Start, trust: TrustPage, starvation: Starvation) -> None:
    child, line, _ = await up(start, *FAMILY)
    members = pids(line)
    assert len(living(members)) == 3
    until = end_trust(trust, 1.0)
    ended, at = await end_of(child), boottime()
    assert at >= until
    starvation.assert_within(1.0, until, at, "the tree is gone")
    assert (ended.signal, ended.why) == (signal.SIGKILL, "trust")
    assert living(members) == []


async def test_trust_that_is_extended_keeps_it_running(start: Start, trust: TrustPage) -> None:
    child = await begun(start, "sleep", "1000")
    first = end_trust(trust, 1.0)
    trust.extend(first + 0.5)
    assert (await end_of(child)).why == "trust"
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
    assert state(replica.pid) == b"T"
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


DEAF = 'trap "" TERM; echo up; while :; do sleep 0.01; done'


async def test_a_child_that_is_deaf_to_sigterm_is_killed_after_kill_time(start: Start, starvation: Starvation) -> None:
    child, _, _ = await up(start, "sh", "-c", DEAF)
    began = boottime()
    child.stop(0.3)
    ended, at = await end_of(child), boottime()
    assert (ended.signal, ended.why) == (signal.SIGKILL, "stopped")
    assert at - began >= 0.3
    starvation.assert_within(2.0, began, at, "it is killed")


@linux
async def test_kill_time_is_for_the_whole_tree(start: Start, tmp_path: Path) -> None:
    inner = f'trap "sleep 0.3; echo done > {tmp_path}/done; exit" TERM; echo up; while :; do sleep 0.01; done'
    child, _, _ = await up(start, "sh", "-c", f"sh -c '{inner}'; true")
    child.stop(10)
    assert (await end_of(child)).why == "stopped"
    assert (tmp_path / "done").exists()


async def test_a_second_stop_may_shorten_kill_time(start: Start) -> None:
    child, _, _ = await up(start, "sh", "-c", DEAF)
    child.stop(3600)
    child.stop(0)
    assert (await end_of(child)).why == "stopped"


@linux
async def test_a_storm_of_forks_is_ended_to_the_last(start: Start) -> None:
    child, _, _ = await up(start, *STORM)
    await killed(child)
    mark = f"LEASED_KEEPER={child.keeper.pid}.".encode()
    assert not [pid for pid in processes() if _carries(pid, mark)]


def _carries(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


@linux
async def test_nothing_of_a_tree_acts_on_the_death_of_another_part_of_it(start: Start, tmp_path: Path) -> None:
    child, _, _ = await up(start, "sh", "-c", f"echo up; sleep 1000; touch {tmp_path}/went-on")
    await killed(child)
    assert not (tmp_path / "went-on").exists()


async def test_signals_to_the_keeper_do_not_reach_the_child_nor_end_the_keeper(start: Start) -> None:
    child = await begun(start, "sleep", "1000")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
        os.killpg(child.keeper.pid, number)
    assert child.pid is not None
    assert living([child.pid]) == [child.pid]
    await killed(child)


async def test_the_child_gets_the_usual_signals_back_and_only_the_descriptors_that_it_is_told(start: Start) -> None:
    program = """
import os, signal
deaf = [n.name for n in signal.valid_signals() if n not in (signal.SIGPIPE, signal.SIGXFSZ) and
        isinstance(n, signal.Signals) and signal.getsignal(n) == signal.SIG_IGN]
told = {int(os.environ["LEASED_REPORT_FD"]), int(os.environ["LEASED_TRUST"].partition(":")[0])}
has = {fd for fd in range(64) if os.path.exists(f"/dev/fd/{fd}")}
print(deaf, told < has, sorted(has - told), os.getpgrp() == os.getpid())
"""
    _, line, _ = await up(start, sys.executable, "-I", "-S", "-c", program)
    assert line == "[] True [0, 1, 2] True"


async def test_the_child_gets_the_limit_of_descriptors_back_that_the_replica_has_raised_for_itself(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawn, "_limit_of_children", 99)
    child = await begun(start, "sh", "-c", "ulimit -Sn; ulimit -Hn")
    await end_of(child)
    assert printed(child) == f"99\n{resource.getrlimit(resource.RLIMIT_NOFILE)[1]}\n"


def test_the_keeper_runs_isolated_and_imports_little() -> None:
    script = Path(__file__).parents[3] / "daemon" / "jobs" / "processes" / "keeper_main.py"
    program = f"import sys, runpy; sys.argv = ['keeper']; runpy.run_path({str(script)!r}); print(len(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": "/nonexistent", "PYTHONSTARTUP": "/nonexistent"}
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], env=environment, check=True, capture_output=True
    )
    assert int(answer.stdout) < 80
