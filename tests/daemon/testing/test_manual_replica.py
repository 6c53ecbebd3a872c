"""A replica that a test moves: what users are promised of `daemon.testing`."""

import asyncio
import os
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from daemon import AsyncRun, Run, Schedules
from daemon.errors import InvalidInstant
from daemon.operations.trigger import NoSuchSchedule
from daemon.testing import ManualReplica, ManualStore, Misuse, run_once
from daemon.testing import store as store_module
from lease.errors import InvalidDuration, LeaseLost
from tests.support.manual import ONE_O_CLOCK, Gate, a_shop, add_schedule, at_work, failing, nothing, until
from tests.support.waiting import LIMIT, wait_until

TWO_O_CLOCK = "2026-07-01T02:00:00Z"
pytestmark = pytest.mark.anyio


def shop() -> tuple[Schedules, list[datetime]]:
    schedules, seen = Schedules("shop"), list[datetime]()
    nightly = schedules.add("nightly", cron="0 2 * * *", catch_up="all")

    @nightly.job(timeout="1m", retries=1)
    def customers(run: Run) -> None:
        seen.append(run.scheduled_for)
        run.log.info("as of %s", run.scheduled_for)
        run.progress(1, 1)

    @nightly.job(timeout="1m")
    async def orders(run: AsyncRun) -> None:
        run.ensure()

    return schedules, seen


# Moving it


async def test_nothing_runs_before_its_instant_and_it_runs_when_the_clock_is_set_to_it() -> None:
    schedules, seen = shop()
    async with ManualStore("2026-07-01T01:59:59Z") as store, ManualReplica(store, schedules) as replica:
        assert await replica.work() == []
        store.clock.set(TWO_O_CLOCK)
        (run,) = await replica.work()
        assert run.state == "succeeded"
        assert [job.state for job in run.jobs] == ["succeeded", "succeeded"]
        assert run.run.scheduled_for == seen[0] == datetime(2026, 7, 1, 2, tzinfo=UTC)


async def test_the_clock_moves_to_the_next_instant_and_to_a_retry() -> None:
    schedules = Schedules("shop")
    schedules.add("nightly", cron="0 2 * * *").job(name="job", retries=1, backoff="10s", timeout="1m")(failing)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        assert await replica.advance_to_next_due() == store.clock.now == datetime(2026, 7, 1, 2, tzinfo=UTC)
        assert await replica.advance_to_next_due() == store.clock.now
        assert [run.state for run in await replica.work()] == ["pending"]
        retry = await replica.advance_to_next_due()
        assert 10 <= (retry - datetime(2026, 7, 1, 2, tzinfo=UTC)).total_seconds() <= 12.1
        assert [run.state for run in await replica.work()] == ["failed"]
        assert (await replica.advance_to_next_due()).day == 2


async def test_the_clock_moves_past_the_moment_by_which_a_run_was_to_start() -> None:
    """At that very moment it may still start."""
    schedules = Schedules("shop")
    often = schedules.add("often", every="10m", starts=TWO_O_CLOCK, overlap="queue", start_within="1m")
    often.job(name="job", retries=1, backoff="1h", timeout="1m")(failing)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        for minute in (0, 10, 11):
            assert (await replica.advance_to_next_due()).minute == minute
            await replica.work()
        assert [run.run.reason for run in await replica.runs()] == [None, "missed"]


async def test_a_run_that_is_retried_at_once_is_returned_once() -> None:
    schedules = Schedules("shop")
    schedules.add("nightly", cron="0 2 * * *").job(name="job", retries=2, backoff=0, timeout="1m")(failing)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        store.clock.advance("1h")
        (run,) = await replica.work()
        assert [job.attempt for job in run.jobs] == [1, 2, 3]


async def test_what_cannot_be_done_keeps_work_from_nothing_and_it_returns() -> None:
    """A schedule whose stored definition cannot be read is due for ever."""
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        broken = text("UPDATE schedule SET definition = '{}', digest = 'another'")
        await store.write(lambda connection: connection.execute(broken))
        store.clock.advance("1h")
        assert await replica.work() == []


# What it is like


async def test_a_run_that_loses_its_lease_is_resumed_under_a_higher_token() -> None:
    gate, seen = Gate(), list[str]()

    async def work(run: AsyncRun) -> None:
        try:
            await gate.passed()
        except asyncio.CancelledError:
            with pytest.raises(LeaseLost):
                run.ensure()
            seen.append(f"token {run.token} is lost")
            raise

    async with at_work(gate, a_shop(work)) as (replica, run_id):
        await replica.lose_lease(run_id)
        assert seen == ["token 1 is lost"]
        gate.open()
        (run,) = await replica.work()
        assert [(job.state, job.token) for job in run.jobs] == [("stopped", 1), ("succeeded", 3)]
        assert run.abandoned == 0


async def test_a_job_finds_the_database_where_it_would_elsewhere_and_can_fence_its_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEASED_DATABASE_URL", "sqlite:///before.db")
    schedules = Schedules("shop")

    @schedules.cron("0 2 * * *", timeout="1m")
    def nightly(run: Run) -> None:
        engine = create_engine(os.environ["LEASED_DATABASE_URL"], poolclass=NullPool)
        with engine.begin() as connection:
            run.fence(connection)
            connection.execute(text("CREATE TABLE customer (name TEXT)"))

    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        assert (await replica.run_once("nightly")).state == "succeeded"
        assert await store.read(lambda connection: connection.scalar(text("SELECT count(*) FROM customer"))) == 0
    assert os.environ["LEASED_DATABASE_URL"] == "sqlite:///before.db"


@pytest.mark.parametrize("memory", [True, False])
def test_nothing_is_left_of_it(memory: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is in memory where there is a folder for that, and otherwise with other temporary files."""
    monkeypatch.setattr(store_module, "_MEMORY", tmp_path if memory else tmp_path / "missing")
    monkeypatch.setattr(tempfile, "tempdir", "missing" if memory else str(tmp_path))
    before = set(threading.enumerate())

    async def story() -> list[Path]:
        async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop()[0]) as replica:
            await replica.run_once("nightly")
            return files()

    def files() -> list[Path]:
        return list(tmp_path.rglob("*"))

    assert asyncio.run(story()) != []
    assert files() == []
    wait_until(lambda: set(threading.enumerate()) <= before, "its threads have ended")


async def test_runs_at_work_are_handed_back_when_a_test_ends_in_an_outage() -> None:
    gate = Gate()
    async with ManualStore(ONE_O_CLOCK) as store:
        async with ManualReplica(store, a_shop(gate.passed)) as replica:
            run_id = await replica.trigger("nightly")
            await replica.tick()
            await gate.entered()
            store.available = False
        assert (await replica.read(run_id)).state == "pending"


@pytest.mark.usefixtures("processes")
async def test_commands_run_as_they_do_elsewhere() -> None:
    schedules = Schedules("shop")
    schedules.add("backup", cron="0 2 * * *").command("dump", "echo token $LEASE_TOKEN")
    async with ManualStore("2026-07-01T01:59:00Z") as store, ManualReplica(store, schedules) as replica:
        store.clock.advance("1m")
        (run,) = await replica.work()
        assert run.jobs[0].log_tail == "token 1\n"


FILE = """
import os
from daemon import Schedules

schedules = Schedules("shop")

@schedules.cron("0 2 * * *", timeout="1m")
def nightly(run):
    run.log.info("%d", os.getpid())
"""


async def test_a_file_is_taken_as_the_command_line_takes_it(tmp_path: Path) -> None:
    (tmp_path / "file_of_a_test.py").write_text(FILE)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, tmp_path / "file_of_a_test.py") as here:
        assert (await here.run_once("nightly")).jobs[0].log_tail == f"{os.getpid()}\n"


@pytest.mark.usefixtures("processes")
async def test_functions_run_in_children_where_a_test_asks_for_it(tmp_path: Path) -> None:
    file = tmp_path / "file_of_a_test.py"
    file.write_text(FILE)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, file, in_children=True) as replica:
        run = await replica.run_once("nightly")
        assert run.state == "succeeded"
        assert run.jobs[0].log_tail != f"{os.getpid()}\n"


# Without an event loop


def test_a_schedule_runs_at_once_at_a_given_time() -> None:
    schedules, seen = shop()
    assert run_once(schedules, "nightly", at="2026-03-01T12:00:00Z").state == "succeeded"
    assert seen == [datetime(2026, 3, 1, 12, tzinfo=UTC)]


def test_parameters_can_be_given_for_one_run() -> None:
    given = list[object]()

    def sync(run: Run) -> None:
        given.append(run.params["shop"])

    run_once(a_shop(sync, params={"shop": 1}), "nightly", params={"shop": 2})
    assert given == [2]


def test_a_function_that_exits_ends_its_own_run_only() -> None:
    def leave(_run: Run) -> None:
        raise SystemExit(3)

    assert run_once(a_shop(leave), "nightly").state == "failed"


# Misuse is answered by a sentence


def test_a_schedule_that_is_not_there_is_an_error() -> None:
    with pytest.raises(NoSuchSchedule, match='did you mean "nightly"'):
        run_once(shop()[0], "nightli")


async def test_runs_of_a_schedule_that_is_not_there_are_an_error() -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        with pytest.raises(NoSuchSchedule, match='no schedule "nightli"; there are nightly'):
            await replica.runs("nightli")


async def test_a_store_or_a_replica_that_is_not_open_says_so() -> None:
    store = ManualStore(ONE_O_CLOCK)
    replica = ManualReplica(store, a_shop())
    with pytest.raises(Misuse, match="this ManualStore is not open: use it as `async with"):
        async with replica:
            pass
    async with store, replica:
        pass
    with pytest.raises(Misuse, match="this ManualReplica is not open: use it as `async with"):
        await replica.tick()


async def test_a_clock_takes_no_time_without_a_zone_and_does_not_go_back_by_a_duration() -> None:
    store = ManualStore(ONE_O_CLOCK)
    with pytest.raises(InvalidInstant, match="time zone"):
        store.clock.set(datetime(2026, 7, 1, 2))  # noqa: DTZ001 - that is what is refused
    with pytest.raises(InvalidDuration):
        store.clock.advance("-1m")
    assert store.clock.now == datetime(2026, 7, 1, 1, tzinfo=UTC)


async def test_a_job_that_hangs_is_named_when_time_is_up() -> None:
    gate = Gate()
    async with at_work(gate) as (replica, run_id):
        for waiting in (replica.work(limit=0.01), replica.wait_for(run_id, limit=0.01)):
            with pytest.raises(TimeoutError, match=r'not done within 0.01s; still running: run 1 of "nightly"'):
                await waiting


def test_a_function_that_hangs_keeps_neither_the_test_nor_the_interpreter_from_ending() -> None:
    begun, hung = threading.Event(), threading.Event()

    def hang(_run: Run) -> None:
        begun.set()
        hung.wait(LIMIT)

    async def story() -> None:
        async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(hang)) as replica:
            await replica.trigger("nightly")
            await replica.tick()
            await until(begun.is_set, "the function hangs")
            with pytest.raises(TimeoutError):
                await replica.work(limit=0.01)

    asyncio.run(story())
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "leased-job-nightly"]
    assert thread.daemon
    hung.set()
    thread.join(LIMIT)


async def test_where_nothing_will_ever_be_due_the_clock_cannot_move_to_it() -> None:
    schedules = Schedules("shop")
    add_schedule(schedules, "nightly", ends="2026-07-01T00:00:00Z")
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        with pytest.raises(Misuse, match='nothing of "shop" will be due'):
            await replica.advance_to_next_due()


async def test_a_run_that_is_not_at_work_has_no_lease_to_lose() -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        run_id = await replica.trigger("nightly")
        with pytest.raises(Misuse, match="run 1 is not running here"):
            await replica.lose_lease(run_id)


async def test_functions_in_children_need_a_file() -> None:
    with pytest.raises(Misuse, match="give FILE instead of the Schedules"):
        ManualReplica(ManualStore(ONE_O_CLOCK), a_shop(), in_children=True)


async def test_in_an_async_test_a_single_run_has_a_way_of_its_own() -> None:
    with pytest.raises(Misuse, match="in an async test use a ManualReplica"):
        run_once(a_shop(nothing), "nightly")


def test_on_another_event_loop_than_asyncios_it_says_what_to_do() -> None:
    opening = ManualStore(ONE_O_CLOCK).__aenter__()
    with pytest.raises(Misuse, match='let the fixture anyio_backend return "asyncio"'):
        opening.send(None)
