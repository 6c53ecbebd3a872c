"""A replica that a test moves: what users are promised of `daemon.testing`."""

from datetime import UTC, datetime

import pytest

from daemon import AsyncRun, Run, Schedules
from daemon.operations.trigger import NoSuchSchedule
from daemon.telemetry.facts import JobPrinted, RunEnded, RunStarted
from daemon.testing import ManualReplica, ManualStore, run_once

TWO_O_CLOCK = "2026-07-01T02:00:00Z"


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


@pytest.mark.anyio
async def test_nothing_runs_before_its_instant_and_it_runs_when_the_clock_is_set_to_it() -> None:
    schedules, seen = shop()
    async with ManualStore("2026-07-01T01:59:59Z") as store, ManualReplica(store, schedules) as replica:
        assert await replica.work() == []
        store.clock.set(TWO_O_CLOCK)
        (run,) = await replica.work()
        assert run.state == "succeeded"
        assert [job.state for job in run.jobs] == ["succeeded", "succeeded"]
        assert run.run.scheduled_for == seen[0] == datetime(2026, 7, 1, 2, tzinfo=UTC)


@pytest.mark.anyio
async def test_a_tick_starts_runs_and_work_waits_for_them() -> None:
    schedules, seen = shop()
    async with ManualStore("2026-07-01T01:00:00Z") as store, ManualReplica(store, schedules) as replica:
        store.clock.advance("1h")
        await replica.tick()
        assert len(replica.replica.runs) == 1
        (run,) = await replica.work()
        assert run.run.token == 1
        assert len(seen) == 1


@pytest.mark.anyio
async def test_each_instant_that_passes_is_accounted_for() -> None:
    schedules, seen = shop()
    async with ManualStore(TWO_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        store.clock.advance("3d5m")
        await replica.work()
        assert [when.day for when in seen] == [2, 3, 4]
        assert [run.state for run in await replica.runs("nightly")] == ["succeeded"] * 3


@pytest.mark.anyio
async def test_what_a_replica_reports_is_there_as_facts() -> None:
    schedules, _ = shop()
    async with ManualStore(TWO_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        run_id = await replica.trigger("nightly")
        await replica.work()
        runs = [fact.run.run_id for fact in replica.facts if isinstance(fact, RunStarted | RunEnded)]
        assert runs == [run_id, run_id]
        assert [fact.line for fact in replica.facts if isinstance(fact, JobPrinted)] == [
            "as of 2026-07-01 02:00:00+00:00"
        ]


@pytest.mark.anyio
async def test_two_replicas_of_one_store_share_the_work() -> None:
    schedules, seen = shop()
    async with (
        ManualStore("2026-07-01T01:59:00Z") as store,
        ManualReplica(store, schedules) as one,
        ManualReplica(store, schedules) as two,
    ):
        store.clock.advance("1m")
        await one.tick()
        await two.tick()
        assert len(await one.work()) + len(await two.work()) == 1
        assert len(seen) == 1


@pytest.mark.anyio
async def test_a_database_that_is_away_stops_nothing_for_good() -> None:
    schedules, seen = shop()
    async with ManualStore("2026-07-01T01:59:00Z") as store, ManualReplica(store, schedules) as replica:
        store.clock.advance("1m")
        store.available = False
        assert await replica.tick() is None
        store.available = True
        await replica.work()
        assert len(seen) == 1


def test_a_schedule_runs_at_once_at_a_given_time() -> None:
    schedules, seen = shop()
    assert run_once(schedules, "nightly", at="2026-03-01T12:00:00Z").state == "succeeded"
    assert seen == [datetime(2026, 3, 1, 12, tzinfo=UTC)]


def test_a_schedule_that_is_not_there_is_an_error() -> None:
    with pytest.raises(NoSuchSchedule, match='did you mean "nightly"'):
        run_once(shop()[0], "nightli")


@pytest.mark.anyio
async def test_commands_run_as_they_do_elsewhere() -> None:
    schedules = Schedules("shop")
    schedules.add("backup", cron="0 2 * * *").command("dump", "echo token $LEASE_TOKEN")
    async with ManualStore("2026-07-01T01:59:00Z") as store, ManualReplica(store, schedules) as replica:
        store.clock.advance("1m")
        (run,) = await replica.work()
        assert run.jobs[0].log_tail == "token 1\n"
