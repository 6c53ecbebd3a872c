"""The lines and reports of jobs inside the replica come to its event loop, and do not flood it (rule 25)."""

import asyncio
import sys
import threading
from datetime import UTC, datetime

import pytest

from daemon.definitions.job import Job
from daemon.jobs import inside
from daemon.jobs.brief import Brief
from daemon.jobs.inside import ThreadAttempt
from daemon.jobs.output.transcript import Transcript
from daemon.jobs.reports import Progress
from daemon.jobs.run import Run
from daemon.jobs.runners import Listeners
from lease.client import Lease
from lease.model import Grant
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

WHEN = datetime(2026, 3, 29, 2, 0, tzinfo=UTC)
BRIEF = Brief(
    application="shop",
    schedule="nightly",
    scheduled_for=WHEN,
    run_id=7,
    job="job",
    attempt=1,
    params={},
    idempotency_key="a key",
    grant=Grant("run/shop/nightly", 1, "h1"),
    source="schedules.py",
    file="/srv/schedules.py",
    stamp="a stamp",
    digest="a digest",
)
LINES = 1_000


async def test_a_thread_waits_while_the_loop_is_behind_with_what_it_logs_and_reports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Threads in a hurry would keep the loop from all else: eight of them held it up for as long as they logged."""
    monkeypatch.setattr(inside, "_LONGEST_WAIT", LIMIT)
    lines, reports, done = list[str](), list[Progress](), list[int]()
    full, beyond = threading.Event(), threading.Event()

    def work(run: Run) -> None:
        for number in range(LINES):
            run.log.info("line %s", number)
            run.progress(number, LINES)
            done.append(number)
            if len(done) * 2 >= inside._MOST_WAITING:
                full.set()
            if len(done) * 2 > inside._MOST_WAITING:
                beyond.set()

    listeners = Listeners(lines.extend, reports.append, Transcript())
    attempt = ThreadAttempt(Job(name="job", function=work), BRIEF, held=the_lease(), listeners=listeners)
    await attempt.go()
    assert full.wait(LIMIT), "the loop is held up here"
    assert not beyond.wait(0.05)
    outcome = await asyncio.wait_for(attempt.wait(), LIMIT)
    assert (outcome.state, len(lines), len(reports)) == ("succeeded", LINES, LINES)


async def test_a_loop_that_is_away_holds_up_no_thread_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "_MOST_WAITING", 1)
    monkeypatch.setattr(inside, "_LONGEST_WAIT", 0.001)
    lines, ended = list[str](), threading.Event()

    def work(run: Run) -> None:
        for number in range(10):
            run.log.info("line %s", number)
        ended.set()

    listeners = Listeners(lines.extend, lambda _: None, Transcript())
    attempt = ThreadAttempt(Job(name="job", function=work), BRIEF, held=the_lease(), listeners=listeners)
    await attempt.go()
    assert ended.wait(LIMIT)
    await asyncio.wait_for(attempt.wait(), LIMIT)
    assert lines == [f"line {number}" for number in range(10)], "all the same"


async def test_what_a_thread_prints_is_output_of_its_own_job_and_of_no_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))  # as they were, at the end
    both = threading.Barrier(2, timeout=LIMIT)
    printed: dict[str, list[str]] = {"a": [], "b": []}
    attempts = []
    for name, lines in printed.items():

        def work(run: Run, name: str = name) -> None:
            both.wait()
            sys.stdout.write(f"{name} prints\n")
            run.log.info("%s logs", name)
            sys.stderr.write(f"{name} warns\n")
            sys.stdout.write(f"{name} ends")

        listeners = Listeners(lines.extend, lambda _: None, Transcript())
        attempts.append(ThreadAttempt(Job(name="job", function=work), BRIEF, held=the_lease(), listeners=listeners))
    for attempt in attempts:
        await attempt.go()
    for attempt in attempts:
        await asyncio.wait_for(attempt.wait(), LIMIT)
    sys.stdout.write("the replica prints\n")
    assert capsys.readouterr().out == "the replica prints\n"
    for (name, lines), attempt in zip(printed.items(), attempts, strict=True):
        assert lines == [f"{name} prints", f"{name} logs", f"{name} warns"]
        assert attempt._output.tail.endswith(f"{name} ends")


def the_lease() -> Lease:
    """Return what is not asked here."""
    return object.__new__(Lease)
