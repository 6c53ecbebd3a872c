"""Where async jobs and jobs in threads stand, with all that they await; and command lines show no passwords and no values of
variables.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from daemon.jobs.stacks import MOST_FRAMES, SeenWork, bounded, masked, of_thread
from daemon.jobs.task_thread import StartedTask, TaskThread
from tests.support.waiting import LIMIT, wait_until


@pytest.fixture
def thread() -> Iterator[TaskThread]:
    made = TaskThread()
    yield made
    made.stop()


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


async def passed(gate: threading.Event) -> None:
    while not gate.is_set():  # noqa: ASYNC110 - it is set in another thread
        await asyncio.sleep(0.001)


def where(seen: SeenWork) -> list[tuple[str, list[str], int]]:
    """The functions of this file in each stack."""
    return [(one.of, [_function(frame) for frame in one.frames if __file__ in frame], one.count) for one in seen.stacks]


def _function(frame: str) -> str:
    return frame.rpartition(" in ")[2].rpartition(".")[2]


def shown(started: StartedTask, functions: list[str]) -> SeenWork:
    """What it shows once its own task stands in these functions."""
    wait_until(lambda: functions in [names for _, names, _ in where(started.seen())], "it stands there")
    return started.seen()


def test_an_async_job_shows_all_that_it_awaits_the_innermost_first(thread: TaskThread, gate: threading.Event) -> None:
    async def inner() -> None:
        await passed(gate)

    async def outer(_: object) -> None:
        await inner()

    started = thread.start(outer, None)
    seen = shown(started, ["passed", "inner", "outer"])
    assert seen.stacks[-1].of == "the job's task"
    assert not [frame for one in seen.stacks for frame in one.frames if "task_thread" in frame]
    gate.set()
    assert started.ended.result(LIMIT) is None


async def gathers(gate: threading.Event) -> None:
    await asyncio.gather(passed(gate), passed(gate), asyncio.create_task(passed(gate), name="third"))


async def has_a_group(gate: threading.Event) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(passed(gate))
        group.create_task(passed(gate))
        group.create_task(passed(gate), name="third")


grouped = pytest.param(
    has_a_group,
    marks=pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11 does not tell whose a task is"),
)


@pytest.mark.parametrize("way", [gathers, grouped])
def test_it_shows_the_tasks_that_it_waits_for_and_those_alike_once(
    thread: TaskThread, gate: threading.Event, way: Any
) -> None:
    async def job(_: object) -> None:
        await way(gate)

    started = thread.start(job, None)
    waiting = [
        ("a task", ["passed"], 2),
        ("task third", ["passed"], 1),
        ("the job's task", [way.__name__, "job"], 1),
    ]
    wait_until(lambda: sorted(where(started.seen())) == waiting, "all of its tasks wait")  # they come in any order
    gate.set()
    assert started.ended.result(LIMIT) is None


def test_one_that_blocks_its_loop_shows_the_line_and_others_say_who_blocks(
    thread: TaskThread, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.jobs.task_thread.NAMED_AFTER", 0.1)

    async def blocks(_: object) -> None:
        gate.wait(LIMIT)

    async def waits(_: object) -> None:
        await passed(gate)

    other = thread.start(waits, None)
    shown(other, ["passed", "waits"])
    blocker = thread.start(blocks, None)
    wait_until(lambda: thread.blocked() is not None, "the blocker is named")
    assert ("running now", ["blocks"], 1) in where(blocker.seen())
    assert blocker.seen().remarks == ()
    assert "is blocking the event loop and all async jobs, at" in other.seen().remarks[0]
    gate.set()
    for one in (other, blocker):
        assert one.ended.result(LIMIT) is None


def test_a_thread_shows_its_frames_and_one_that_has_ended_none(gate: threading.Event) -> None:
    def works() -> None:
        gate.wait(LIMIT)

    one = threading.Thread(target=works)
    one.start()
    wait_until(lambda: "works" in [_function(frame) for frame in of_thread(one.ident)], "it waits")
    gate.set()
    one.join()
    assert of_thread(one.ident) == of_thread(None) == []


def test_a_stack_without_end_and_stacks_without_number_are_cut() -> None:
    (one,) = bounded([("a task", [f"x.py:{number} in x" for number in range(1_000)])])
    assert (len(one.frames), one.frames[-1]) == (MOST_FRAMES + 1, "and 960 frames further out")
    many = bounded((f"task {number}", ["x"]) for number in range(1_000))
    assert len(many) == 20


# Command lines


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("pg_dump postgresql://app:s3cret@db:5432/shop", "pg_dump postgresql://app:***@db:5432/shop"),
        ("mysqldump --password=s3cret --user=app", "mysqldump --password=*** --user=app"),
        ("mysqldump --password s3cret shop", "mysqldump --password *** shop"),
        ("tool --api-key 'a b' --rows=5", "tool --api-key *** --rows=5"),
        ("curl -u ann:s3cret https://shop", "curl -u ann:*** https://shop"),
        ("curl -H Authorization: s3cret https://shop", "curl -H Authorization: *** https://shop"),
        ("/bin/sh -c PGPASSWORD=s3cret LANG=C psql; X=1", "/bin/sh -c PGPASSWORD=*** LANG=*** psql; X=***"),
        ("python sync.py hunter2 --rows=5", "python sync.py *** --rows=5"),
        ("rsync -a src/ host:dst/", "rsync -a src/ host:dst/"),
        ("psql -c select a=b from t where token='x y'", "psql -c select a=*** from t where token=***"),
    ],
)
def test_what_may_be_secret_does_not_show(command: str, shown: str) -> None:
    assert masked(command, ["hunter2", "a", ""]) == shown


@pytest.mark.parametrize("part", ["auth.", "a.", "://a:", " --auth.", "token='"])
def test_no_command_line_keeps_the_other_threads_waiting(part: str) -> None:
    began = time.thread_time()
    masked(part * (4096 // len(part)))
    assert time.thread_time() - began < 1.0
