"""Rule 18: what proves that a process is dead, and what proves nothing."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.jobs.processes import identity as identities
from daemon.jobs.processes import process_tree
from daemon.jobs.processes.identity import (
    ProcessIdentity,
    end_leftovers,
    identity,
    is_alive,
    leftovers,
    pid_namespace,
)
from daemon.jobs.processes.process_tree import MARK, descendants
from tests.daemon.jobs.family import FAMILY, linux, living, pids, state
from tests.support.waiting import LIMIT, wait_until


@pytest.fixture
def sleeper(processes: None) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "1000"])
    yield process
    process.kill()
    process.wait()


def known(pid: int) -> ProcessIdentity:
    found = identity(pid)
    assert found is not None
    return found


def test_a_running_process_is_alive() -> None:
    assert is_alive(known(os.getpid())) is (True if sys.platform == "linux" else None)


@linux
def test_a_stopped_process_is_alive(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.send_signal(signal.SIGSTOP)
    wait_until(lambda: state(sleeper.pid) == b"T", "it is stopped")
    assert is_alive(known(sleeper.pid)) is True


@linux
def test_a_process_that_was_waited_for_is_dead_and_has_no_identity(sleeper: subprocess.Popen[bytes]) -> None:
    process = known(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert is_alive(process) is False
    assert identity(sleeper.pid) is None


@linux
def test_a_zombie_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    process = known(sleeper.pid)
    sleeper.kill()
    wait_until(lambda: state(sleeper.pid) == b"Z", "it is a zombie")
    assert is_alive(process) is False


@linux
@pytest.mark.usefixtures("processes")
def test_a_process_whose_first_thread_has_ended_only_looks_like_a_zombie() -> None:
    program = """
import ctypes, threading, time
def stay():
    print("up", flush=True)
    time.sleep(1000)
threading.Thread(target=stay).start()
ctypes.CDLL(None).pthread_exit(None)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        wait_until(lambda: state(process.pid) == b"Z", "its first thread has ended")
        assert is_alive(known(process.pid)) is True
        process.kill()
        process.wait()


@linux
def test_the_same_id_with_another_start_time_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    process = known(sleeper.pid)
    assert is_alive(ProcessIdentity(process.pid, process.start_time + 1)) is False


def test_a_process_that_may_not_be_signalled_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int, _number: int) -> None:
        raise PermissionError

    process = known(os.getpid())
    monkeypatch.setattr(os, "kill", refuse)
    assert is_alive(process) is None


def test_an_unreadable_proc_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    process = known(os.getpid())
    monkeypatch.setattr(identities, "stat", lambda _pid: None)
    assert is_alive(process) is None


@linux
@pytest.mark.usefixtures("processes")
def test_a_name_with_brackets_and_spaces_does_not_confuse_the_fields(tmp_path: Path) -> None:
    program = tmp_path / "a) R 1 (b"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([program, "1000"])
    assert is_alive(known(process.pid)) is True
    assert process.pid in descendants(os.getpid())
    process.kill()
    process.wait()


@linux
@pytest.mark.usefixtures("processes")
def test_the_children_of_each_thread_are_among_the_descendants() -> None:
    begun, done = queue.SimpleQueue[subprocess.Popen[bytes]](), threading.Event()

    def work() -> None:
        begun.put(subprocess.Popen(["sleep", "1000"]))
        done.wait()

    thread = threading.Thread(target=work)
    thread.start()
    with begun.get(timeout=LIMIT) as process:
        try:
            assert process.pid in descendants(os.getpid())
        finally:
            process.kill()
            done.set()
            thread.join()


@linux
def test_the_pid_namespace_is_told() -> None:
    assert (pid_namespace() or "").startswith("pid:[")


@linux
@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("lists_children", [True, False])
def test_descendants_are_listed_with_their_groups_parents_first(
    lists_children: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the lists of children where the kernel has them, or else by all processes."""
    if lists_children and not process_tree.LISTS_CHILDREN:
        pytest.skip("this kernel does not list children")
    monkeypatch.setattr(process_tree, "LISTS_CHILDREN", lists_children)
    process = subprocess.Popen(FAMILY, stdout=subprocess.PIPE, text=True, process_group=0)
    assert process.stdout is not None
    with process.stdout:
        child, grandchild, orphan = pids(process.stdout.readline())
    found = descendants(os.getpid())
    assert list(found).index(child) < list(found).index(grandchild)
    assert found[child] == found[grandchild] == child
    process.kill()
    process.wait()
    for pid in (grandchild, orphan):
        os.kill(pid, signal.SIGKILL)


@linux
@pytest.mark.usefixtures("processes")
def test_what_a_dead_keeper_left_is_known_by_its_mark_and_ended() -> None:
    keeper = subprocess.Popen(["true"])
    dead = known(keeper.pid)
    keeper.wait()
    marked = {**os.environ, MARK: f"{dead.pid}.{dead.start_time}"}
    family = subprocess.Popen(FAMILY, stdout=subprocess.PIPE, text=True, env=marked)
    assert family.stdout is not None
    with family.stdout:
        members = pids(family.stdout.readline())
    assert leftovers(dead) == set(members)
    assert end_leftovers(dead) is True
    assert living(members) == []
    assert family.wait() == -signal.SIGKILL


@linux
def test_the_mark_of_another_keeper_is_none_of_ours(sleeper: subprocess.Popen[bytes]) -> None:
    assert leftovers(ProcessIdentity(sleeper.pid, known(sleeper.pid).start_time - 1)) == set()
    assert end_leftovers(ProcessIdentity(sleeper.pid, known(sleeper.pid).start_time - 1)) is True
    assert sleeper.poll() is None


@linux
def test_what_cannot_be_seen_gone_is_not_said_to_be_gone(
    monkeypatch: pytest.MonkeyPatch, sleeper: subprocess.Popen[bytes]
) -> None:
    monkeypatch.setattr(identities, "send", lambda *_: None)
    assert end_leftovers(known(sleeper.pid), limit=0.05) is False
