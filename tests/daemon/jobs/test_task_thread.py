"""Async jobs share a thread; none of them can end it."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from daemon.jobs.task_thread import TaskThread
from tests.support.waiting import LIMIT


@pytest.fixture
def thread() -> Iterator[TaskThread]:
    made = TaskThread()
    yield made
    made.stop()


async def well(_: object) -> None:
    return


@pytest.mark.parametrize(("code", "told"), [(3, SystemExit), (0, type(None))])
def test_sys_exit_ends_its_own_job_only(thread: TaskThread, code: int, told: type) -> None:
    async def leave(_: object) -> None:
        sys.exit(code)

    assert isinstance(thread.start(leave, None).ended.result(LIMIT), told)
    assert thread.start(well, None).ended.result(LIMIT) is None


async def exit_in_a_task() -> None:
    async def leave() -> None:
        sys.exit(3)

    await asyncio.gather(leave())


async def exit_in_a_callback() -> None:
    asyncio.get_running_loop().call_soon(sys.exit, 3)


async def stop_the_loop() -> None:
    asyncio.get_running_loop().stop()


@pytest.mark.parametrize("way", [exit_in_a_task, exit_in_a_callback, stop_the_loop])
def test_what_asyncio_lets_end_its_loop_ends_no_other_job(thread: TaskThread, way: Callable[[], object]) -> None:
    """All others would never end, and their leases be renewed for ever (rule 25)."""
    gate, begun = asyncio.Event(), threading.Event()

    async def waits(_: object) -> None:
        begun.set()
        await gate.wait()

    async def job(_: object) -> None:
        await way()  # type: ignore[misc]  # a coroutine

    async def open_gate(_: object) -> None:
        gate.set()

    other = thread.start(waits, None)
    assert begun.wait(LIMIT)
    thread.start(job, None).ended.result(LIMIT)
    assert thread.start(open_gate, None).ended.result(LIMIT) is None
    assert other.ended.result(LIMIT) is None


def test_an_error_that_is_false_is_an_error(thread: TaskThread) -> None:
    class NoFaults(Exception):
        def __len__(self) -> int:
            return 0

    async def fail(_: object) -> None:
        raise NoFaults

    assert isinstance(thread.start(fail, None).ended.result(LIMIT), NoFaults)


def test_without_a_thread_for_the_watch_no_job_begins(thread: TaskThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shortage of the machine: the attempt uses up nothing, and the next one is watched (rule 25)."""
    start = threading.Thread.start

    def short(self: threading.Thread) -> None:
        if self.name == "leased-tasks-watch":
            raise RuntimeError("can't start new thread")
        start(self)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", short)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            thread.start(well, None)
        thread.stop()
    assert thread.start(well, None).ended.result(LIMIT) is None
    assert "leased-tasks-watch" in {one.name for one in threading.enumerate()}
