"""Async jobs share a thread: none of them can end it, and one that blocks its loop is named, charged for the time, and ended
(rule 25).
"""

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

from daemon.jobs import task_thread
from daemon.jobs.task_thread import StartedTask, TaskThread, where
from daemon.telemetry.facts import Fact, JobSubject, LoopBlocked, LoopFreed, Note, RunSubject
from daemon.telemetry.sentences import sentence
from tests.support.waiting import LIMIT, wait_until

HERE = __file__
JOB = JobSubject(RunSubject("shop", "prices", 7, 3, "a replica"), "refresh", 1)
OTHER = JobSubject(RunSubject("shop", "others", 8, 1, "a replica"), "other", 1)


class Blocker:
    """A job that holds its loop up until the test lets it go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.gate = threading.Event()

    def block(self) -> None:
        self.entered.set()
        self.gate.wait(LIMIT)

    async def job(self, _: object) -> None:
        self.block()


LINE = Blocker.block.__code__.co_firstlineno + 2


@pytest.fixture
def facts() -> list[Fact]:
    return []


@pytest.fixture
def thread(facts: list[Fact], monkeypatch: pytest.MonkeyPatch) -> Iterator[TaskThread]:
    """A thread of async jobs whose watch looks often: a collection of garbage in its loop would be a block as well."""
    monkeypatch.setattr(task_thread, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(task_thread, "NAMED_AFTER", 0.05)
    made = TaskThread(facts.append)
    gc.disable()
    yield made
    gc.enable()
    made.stop()


async def well(_: object) -> None:
    return


@pytest.fixture
def blocker() -> Iterator[Blocker]:
    made = Blocker()
    yield made
    made.gate.set()


async def as_a_job_of_its_own(blocker: Blocker, _: object) -> None:
    await asyncio.create_task(blocker.job(None))


async def as_a_callback(blocker: Blocker, _: object) -> None:
    asyncio.get_running_loop().call_soon(blocker.block)
    while not blocker.gate.is_set():  # noqa: ASYNC110 - it is the test's
        await asyncio.sleep(0)


WAYS: list[Callable[[Blocker], Callable[[object], Any]]] = [
    lambda blocker: blocker.job,
    lambda blocker: lambda run: as_a_job_of_its_own(blocker, run),
    lambda blocker: lambda run: as_a_callback(blocker, run),
]


@pytest.mark.parametrize("way", WAYS, ids=["itself", "in a task of its own", "in a callback"])
def test_a_job_that_blocks_the_loop_is_named_with_the_line_where_it_stands(
    way: Callable[[Blocker], Callable[[object], Any]], thread: TaskThread, facts: list[Fact], blocker: Blocker
) -> None:
    started = thread.start(way(blocker), None, JOB)
    wait_until(lambda: facts, "it is named")
    assert facts == [LoopBlocked(JOB, f"{HERE}:{LINE}, in Blocker.block")]
    assert thread.blocked() == facts[0]
    assert thread.age() > 0
    assert started.blocks()
    blocker.gate.set()
    assert started.ended.result(LIMIT) is None
    wait_until(lambda: len(facts) == 2, "it is said that the loop goes on")
    assert isinstance(facts[1], LoopFreed)
    assert facts[1].job == JOB
    assert (thread.blocked(), started.blocks()) == (None, False)


def test_the_sentences_name_job_schedule_run_and_line() -> None:
    assert sentence(LoopBlocked(JOB, "prices.py:12, in refresh")) == (
        'job "refresh" of "prices" (run 7) is blocking the event loop and all async jobs, at prices.py:12, in '
        "refresh: use await there, or make the job a function that is not async"
    )
    assert sentence(LoopFreed(JOB, 3.21)) == ('event loop unblocked after 3.2s by job "refresh" of "prices" (run 7)')


def test_the_time_is_charged_to_the_one_that_took_it(thread: TaskThread, facts: list[Fact], blocker: Blocker) -> None:
    async def innocent(_: object) -> None:
        while not blocker.gate.is_set():  # noqa: ASYNC110 - it is the test's
            await asyncio.sleep(0.001)

    other = thread.start(innocent, None, OTHER)
    culprit = thread.start(blocker.job, None, JOB)
    wait_until(lambda: facts, "it is named")
    assert facts[0] == LoopBlocked(JOB, f"{HERE}:{LINE}, in Blocker.block")
    assert other.lost_to_others() >= 0.04
    assert culprit.lost_to_others() < other.lost_to_others()  # not 0: on a starved machine any step takes long
    assert not other.blocks()
    blocker.gate.set()
    later = thread.start(innocent, None, OTHER)
    assert later.ended.result(LIMIT) is None
    assert later.lost_to_others() == 0.0


def test_a_loop_that_is_not_answering_while_it_runs_nothing_accuses_nobody(
    thread: TaskThread, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine is slow then."""
    looked = threading.Event()

    def nothing_runs(_ident: int) -> None:
        looked.set()

    monkeypatch.setattr(task_thread, "_callback", nothing_runs)
    blocker = Blocker()
    started = thread.start(blocker.job, None, JOB)
    assert looked.wait(LIMIT)
    blocker.gate.set()
    assert started.ended.result(LIMIT) is None
    assert (facts, started.lost_to_others()) == ([], 0.0)


def test_a_job_that_blocks_in_python_is_cancelled_where_it_stands_and_again_if_it_takes_no_notice(
    thread: TaskThread,
) -> None:
    entered, caught = threading.Event(), list[object]()

    async def stubborn(_: object) -> None:
        entered.set()
        for _again in range(2):
            with suppress(asyncio.CancelledError):
                while True:
                    time.sleep(0.001)  # noqa: ASYNC251 - that is the fault
            caught.append("once")

    started = thread.start(stubborn, None, JOB)
    assert entered.wait(LIMIT)
    started.cancel()
    assert started.ended.result(LIMIT) is None
    assert caught == ["once"] * 2
    assert thread.start(well, None, OTHER).ended.result(LIMIT) is None


def test_only_who_must_end_is_interrupted(thread: TaskThread, facts: list[Fact], blocker: Blocker) -> None:
    """A neighbour that must end waits until the loop goes on."""
    entered = threading.Event()

    async def neighbour(_: object) -> None:
        entered.set()
        await asyncio.sleep(LIMIT)

    other = thread.start(neighbour, None, OTHER)
    assert entered.wait(LIMIT)
    culprit = thread.start(blocker.job, None, JOB)
    wait_until(lambda: facts, "it is named")
    other.cancel()
    blocker.gate.set()
    assert culprit.ended.result(LIMIT) is None
    assert isinstance(other.ended.result(LIMIT), asyncio.CancelledError)


def a_frame(module: str, file: str) -> Any:
    """Stands for the frame of a function of a module in this file."""
    code = SimpleNamespace(co_filename=file, co_qualname="work")
    return SimpleNamespace(f_code=code, f_lineno=2, f_globals={"__name__": module})


STDLIB = a_frame("socket", threading.__file__)
REQUESTS = a_frame("requests.api", "/venv/lib/python3/site-packages/requests/api.py")
SHOP = a_frame("shop.jobs", "/venv/lib/python3/site-packages/shop/jobs.py")
USERS = a_frame("prices", "/srv/prices.py")
OURS = a_frame("daemon.jobs.run", "/src/daemon/jobs/run.py")


@pytest.mark.parametrize(
    ("frames", "job", "named"),
    [
        ([STDLIB, REQUESTS, USERS, OURS], None, USERS),
        ([REQUESTS, SHOP], "shop.jobs", SHOP),
        ([REQUESTS], "shop.jobs", REQUESTS),
    ],
    ids=["of a file", "of a job that is installed", "of nobody's own"],
)
def test_the_line_is_the_innermost_of_the_users_own(frames: list[Any], job: str | None, named: Any) -> None:
    """Not that of a package or of Python itself, in which it stands; of a job that is installed, in its own package."""
    function: Any = None if job is None else SimpleNamespace(__module__=job)
    assert where(frames, function) == f"{named.f_code.co_filename}:2, in work"


def test_a_callback_that_ends_while_it_is_looked_at_accuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread goes on beside the one that looks, and `Handle._run` forgets its handle at its end."""
    frames: list[FrameType] = []

    def take() -> None:
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            frames.append(frame)
            frame = frame.f_back

    loop = asyncio.new_event_loop()
    asyncio.Handle(take, (), loop)._run()
    loop.close()
    monkeypatch.setattr(task_thread, "outwards", lambda _: iter(frames))
    assert task_thread._callback(0) is None


def test_a_look_that_fails_is_reported_once_and_the_watch_goes_on(
    thread: TaskThread, facts: list[Fact], blocker: Blocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, failures = task_thread._callback, iter(range(2))

    def fail_twice(ident: int) -> Any:
        if next(failures, None) is not None:
            raise RuntimeError("no frames")
        return look(ident)

    monkeypatch.setattr(task_thread, "_callback", fail_twice)
    started = thread.start(blocker.job, None, JOB)
    wait_until(lambda: any(isinstance(fact, LoopBlocked) for fact in facts), "it is named")
    blocker.gate.set()
    assert started.ended.result(LIMIT) is None
    assert [fact.text for fact in facts if isinstance(fact, Note)] == [
        "internal error in leased; runs continue: RuntimeError('no frames')"
    ]


def test_the_watch_ends_with_its_thread(thread: TaskThread) -> None:
    def watches() -> list[str]:
        return [one.name for one in threading.enumerate() if one.name == "leased-tasks-watch"]

    before = len(watches())
    started: StartedTask = thread.start(well, None)
    assert started.ended.result(LIMIT) is None
    assert len(watches()) == before + 1
    thread.stop()
    assert len(watches()) == before


# None of them can end it


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
