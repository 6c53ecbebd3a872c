"""The runs at work in one replica: what they come to, and what an error of ours or a task without end comes to."""

import asyncio
import errno
from contextlib import suppress
from typing import Any

import pytest

from daemon import Schedules
from daemon.execution import run_execution
from daemon.execution.attempt import WorkOutlivesLease
from daemon.jobs import room
from daemon.jobs.processes.spawn import ChildNotStarted
from daemon.jobs.runners import ChildAttempt
from daemon.service import runs_at_work
from daemon.telemetry.facts import Note, RunStarted
from daemon.testing import ManualReplica, ManualStore
from tests.support.manual import (
    ONE_O_CLOCK,
    Gate,
    a_shop,
    add_schedule,
    facts_of,
    lease_of,
    nothing,
    told,
)
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

NIGHTLY = "run/shop/nightly"


def broken(*_args: object, **_kwargs: object) -> None:
    raise ZeroDivisionError("of leased itself")


async def test_an_error_of_ours_abandons_the_attempt_and_the_third_one_fails_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise it would come again without end."""
    monkeypatch.setattr(run_execution, "after_job", broken)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        run = await replica.run_once("nightly")
        assert [job.state for job in run.jobs] == ["abandoned"] * 3
        assert (run.state, run.abandoned) == ("failed", 3)
        assert "3 attempts in a row were abandoned" in (run.run.reason or "")
        assert (replica.replica.runs.executed, replica.replica.runs.tally) == ([1, 1, 1], {"failed": 3})
        assert len(told(facts_of(replica, Note), "internal error in leased ended run 1: ZeroDivisionError")) == 3


async def test_a_run_that_cannot_even_begin_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_at_work, "RunExecution", broken)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        await replica.trigger("nightly")
        with suppress(ZeroDivisionError):
            await replica.tick()
        assert [room.taken for room in replica.replica.runs._rooms] == [0, 0]


async def test_where_not_even_that_can_be_written_the_lease_is_released_and_the_attempt_uses_up_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(run_execution, "after_job", broken)
        patched.setattr(runs_at_work, "settle_dead", broken)
        async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
            run_id = await replica.trigger("nightly")
            await replica.tick()
            await replica.wait_for(run_id)
            assert (await lease_of(store, NIGHTLY)).holder is None
            assert told(
                facts_of(replica, Note), "the attempt under run/shop/nightly could not be settled: ZeroDivisionError"
            )
            patched.undo()
            (run,) = await replica.work()
            assert [job.state for job in run.jobs] == ["stopped", "succeeded"]
            assert run.abandoned == 0


async def test_a_database_that_does_not_answer_keeps_no_process_alive_longer_than_its_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rule 9: that it ends is recorded only as long as there is time for it."""
    asked = asyncio.Event()

    async def silent(*_: Any, **__: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        with monkeypatch.context() as patched:
            patched.setattr(replica.context.database, "write", silent)
            await asyncio.wait_for(replica.replica.runs.fail(WorkOutlivesLease("stuck", patience=0.01)), LIMIT)
        assert asked.is_set()
        assert replica.replica.runs.failed.is_set()


async def test_runs_that_cannot_be_stopped_are_named_and_the_process_must_end() -> None:
    gate = Gate()
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(gate.passed)) as replica:
        runs = replica.replica.runs
        await runs.fail_if_any()
        assert runs.failure is None, "nothing is at work"
        await replica.trigger("nightly")
        await replica.tick()
        await runs.fail_if_any()
        assert runs.failed.is_set()
        assert 'runs of "nightly" did not stop' in str(runs.failure)


async def test_a_run_that_is_started_after_the_stop_is_handed_back_before_any_of_its_jobs() -> None:
    """It was claimed in the same moment."""
    gate = Gate()
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(gate.passed)) as replica:
        run_id = await replica.trigger("nightly")
        replica.replica.runs.stop()
        await replica.tick()
        run = await replica.wait_for(run_id)
        assert (run.state, run.run.reason) == ("pending", "drained")
        assert [job.state for job in run.jobs] == ["stopped"], "it was recorded with the claim"


async def test_a_run_that_has_ended_leaves_its_place_and_is_heard_of() -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(nothing), concurrency=1) as replica:
        runs = replica.replica.runs
        await runs.one_ended()  # returns at once: none is at work
        await replica.trigger("nightly")
        await replica.tick()
        assert (len(runs), runs.free_places) == (1, 0)
        await runs.one_ended()
        assert (len(runs), runs.free_places) == (0, 1)
        assert len(facts_of(replica, RunStarted)) == 1


async def test_a_run_that_the_machine_has_no_room_for_waits_uses_up_nothing_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rule 25: it has no retries, and is neither failed nor abandoned by a shortage that comes ten times."""
    monkeypatch.setattr(room, "FIRST_PAUSE", 0.0)
    short = [OSError(errno.EMFILE, "Too many open files")] * 10

    async def prepare(*_: object, **__: object) -> None:
        raise short.pop() if short else ChildNotStarted("no such folder")

    monkeypatch.setattr(ChildAttempt, "prepare", prepare)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_command()) as replica:
        run = await replica.run_once("nightly")
        assert [job.state for job in run.jobs] == ["stopped"] * 10 + ["failed"]
        assert (run.state, run.abandoned) == ("failed", 0)
        assert "run out of file descriptors" in (run.jobs[0].error or "")


async def test_while_there_is_no_room_such_runs_are_left_to_others_and_tasks_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def prepare(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(room, "FIRST_PAUSE", 600.0)
    monkeypatch.setattr(ChildAttempt, "prepare", prepare)
    shop = a_command()
    add_schedule(shop, "hourly")
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop) as replica:
        run_id = await replica.trigger("nightly")
        assert [run.state for run in await replica.work()] == ["pending"]
        ours = replica.application.run_digests
        assert replica.replica.runs.claimable().other_digests == [ours["nightly"]]
        assert (replica.replica.runs.room().in_seconds or 0.0) > 0
        assert (await replica.run_once("hourly")).state == "succeeded"
        waiting = await replica.read(run_id)
        assert (waiting.state, len(waiting.jobs)) == ("pending", 1)
        assert "no more processes or threads can be started" in (waiting.run.reason or "")


def a_command() -> Schedules:
    """Return the application "shop" with a command that nothing starts."""
    shop = Schedules("shop")
    shop.add("nightly", cron="0 2 * * *").command("job", ["true"], timeout="1m")
    return shop
