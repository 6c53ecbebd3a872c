"""The lines and reports of jobs inside the replica come to its event loop, and do not flood it (rule 25)."""

import asyncio
import math
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextvars import copy_context
from types import SimpleNamespace
from typing import Any, cast

import pytest

from daemon.definitions.schedule import Job
from daemon.jobs import runners
from daemon.jobs.output import LONGEST_LINE, Output, parted_streams, printed_to
from daemon.jobs.reports import Progress
from daemon.jobs.run import AsyncRun, Run
from daemon.jobs.runners import TaskAttempt, ThreadAttempt
from daemon.jobs.task_thread import TaskThread
from daemon.telemetry.facts import JobSubject
from lease.client import Lease
from tests.daemon.jobs.test_run import BRIEF
from tests.daemon.telemetry.told import RUN
from tests.support.forking import in_forked_child
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

LINES = 1_000


@pytest.fixture
def tasks() -> Iterator[TaskThread]:
    made = TaskThread()
    yield made
    made.stop()


def an_attempt(kind: str, tasks: TaskThread, work: Callable[[Any], object], output: Output) -> Any:
    """Return an attempt of a function in a thread, or of an async function that calls it."""

    async def as_task(run: AsyncRun) -> None:
        result = work(run)
        if isinstance(result, Awaitable):
            await result

    if kind == "thread":
        return ThreadAttempt(Job(name="job", function=work), BRIEF, held=the_lease(), output=output)
    job, subject = Job(name="job", function=as_task), JobSubject(RUN, "job", 1)
    return TaskAttempt(job, BRIEF, subject, held=the_lease(), thread=tasks, output=output)


@pytest.mark.parametrize("kind", ["task", "thread"])
async def test_a_job_waits_while_the_loop_is_behind_with_what_it_logs_and_reports(
    kind: str, tasks: TaskThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs in a hurry would keep the loop from all else: eight of them held it up for as long as they logged."""
    monkeypatch.setattr(runners, "_LONGEST_WAIT", LIMIT)
    lines, reports, done = list[str](), list[Progress](), list[int]()
    full, beyond = threading.Event(), threading.Event()

    def work(run: Run) -> None:
        for number in range(LINES):
            run.log.info("line %s", number)
            run.progress(number, LINES)
            done.append(number)
            if len(done) * 2 >= runners._MOST_WAITING:
                full.set()
            if len(done) * 2 > runners._MOST_WAITING:
                beyond.set()

    output = Output(lines.extend, reports.append)
    attempt = an_attempt(kind, tasks, work, output)
    await attempt.go()
    assert full.wait(LIMIT), "the loop is held up here"
    assert not beyond.wait(0.05)
    outcome = await asyncio.wait_for(attempt.wait(), LIMIT)
    assert (outcome.state, len(lines), len(reports)) == ("succeeded", LINES, LINES)


async def test_a_loop_that_is_away_holds_up_no_thread_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "_MOST_WAITING", 1)
    monkeypatch.setattr(runners, "_LONGEST_WAIT", 0.001)
    lines, ended = list[str](), threading.Event()

    def work(run: Run) -> None:
        for number in range(10):
            run.log.info("line %s", number)
        ended.set()

    output = Output(lines.extend)
    attempt = ThreadAttempt(Job(name="job", function=work), BRIEF, held=the_lease(), output=output)
    await attempt.go()
    assert ended.wait(LIMIT)
    await asyncio.wait_for(attempt.wait(), LIMIT)
    assert lines == [f"line {number}" for number in range(10)], "all the same"


@pytest.mark.parametrize("kind", ["task", "thread"])
async def test_a_listener_to_progress_that_fails_stops_nothing(kind: str, tasks: TaskThread) -> None:
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, about: problems.append(about["exception"]))

    def work(run: Run) -> None:
        for number in range(3):
            run.progress(number, 3)

    def fail(progress: Progress) -> None:
        raise RuntimeError(progress.done)

    attempt = an_attempt(kind, tasks, work, Output(lambda _: None, fail))
    await attempt.go()
    assert (await asyncio.wait_for(attempt.wait(), LIMIT)).state == "succeeded"
    assert [problem.args for problem in problems if isinstance(problem, RuntimeError)] == [(0,), (1,), (2,)]


@pytest.mark.parametrize("kind", ["task", "thread"])
async def test_what_a_job_prints_is_output_of_its_own_attempt_and_of_no_other(
    kind: str, tasks: TaskThread, capsys: pytest.CaptureFixture[str]
) -> None:
    """In order with what it logs; also from `asyncio.to_thread`. All else is printed where it was."""
    turns = {"a": threading.Event(), "b": threading.Event()}
    printed: dict[str, list[str]] = {name: [] for name in turns}
    started = []

    def prints(run: Run, name: str, other: str) -> None:
        sys.stdout.write(f"{name} prints\n")
        turns[other].set()
        assert turns[name].wait(LIMIT)
        run.log.info("%s logs", name)
        sys.stderr.writelines([f"{name} ", "warns\n"])
        thread = threading.Thread(target=sys.stdout.write, args=["a thread of a job prints\n"])
        thread.start()
        thread.join()
        sys.stdout.write(f"{name} ends")

    with parted_streams():
        for name, other in ("ab", "ba"):

            def work(run: Any, name: str = name, other: str = other) -> Any:
                return asyncio.to_thread(prints, run, name, other) if kind == "task" else prints(run, name, other)

            output = Output(printed[name].extend)
            started.append((name, an_attempt(kind, tasks, work, output)))
        for _, attempt in started:
            await attempt.go()
        for name, attempt in started:
            assert (await asyncio.wait_for(attempt.wait(), LIMIT)).state == "succeeded"
            assert printed[name] == [f"{name} prints", f"{name} logs", f"{name} warns", f"{name} ends"], "its end too"
        sys.stdout.write("the replica prints\n")
    assert capsys.readouterr().out == "a thread of a job prints\n" * 2 + "the replica prints\n"


@pytest.mark.usefixtures("processes")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from Python 3.12 on
def test_what_is_printed_after_the_end_or_in_a_forked_child_goes_where_the_replica_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nobody would take it, and it would be lost."""
    taken: list[bytes] = []
    with parted_streams():
        with printed_to(taken.append):
            left = copy_context()  # that of a task which the job has left behind
            sys.stdout.write("in time")
            assert in_forked_child(lambda: (sys.stdout.write("there"), capsys.readouterr().out)[1]) == "there"
        left.run(sys.stdout.write, "too late")
    assert (taken, capsys.readouterr().out) == ([b"in time"], "too late")


def test_a_line_that_never_ends_is_passed_on_in_pieces() -> None:
    taken: list[bytes] = []
    with parted_streams(), printed_to(taken.append):
        for _ in range(3 * LONGEST_LINE):
            sys.stdout.write(".")
        assert len(taken) == 2, "no memory holds it all"
    assert b"".join(taken) == b"." * 3 * LONGEST_LINE


def the_lease() -> Lease:
    """Return one that is trusted for ever."""
    return cast("Lease", SimpleNamespace(trusted_until=math.inf, loss=None))
