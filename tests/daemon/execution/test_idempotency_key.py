"""The key that a job is given: one for each occurrence, whatever becomes of its attempts (docs/how-to/schedules/write-a-safe-job.md)."""

from datetime import timedelta

import pytest

from daemon import AsyncRun, Schedules
from daemon.instants import parse_instant
from daemon.jobs.brief import idempotency_key
from daemon.operations.backfill import backfill
from daemon.operations.backfill_plan import Wanted
from daemon.testing import ManualReplica, ManualStore
from tests.support.manual import ONE_O_CLOCK, Gate, a_shop, add_schedule

TWO_O_CLOCK = parse_instant("2026-07-01T02:00:00Z")
DAY = timedelta(days=1)
pytestmark = pytest.mark.anyio


async def test_what_resumes_after_a_loss_and_what_is_tried_again_has_the_key_of_the_first_attempt() -> None:
    gate, seen = Gate(), list[tuple[int, str]]()

    async def work(run: AsyncRun) -> None:
        seen.append((run.attempt, run.idempotency_key))
        if run.attempt == 1:
            await gate.passed()  # until its lease is lost
        if run.attempt == 2:
            raise OSError("the bank is away")

    shop = Schedules("shop", retries=1)
    add_schedule(shop, "nightly", work)
    async with ManualStore(TWO_O_CLOCK) as store, ManualReplica(store, shop) as replica:
        run_id = await replica.trigger("nightly")
        await replica.tick()
        await gate.entered()
        await replica.lose_lease(run_id)
        await replica.work()
        await replica.advance_to_next_due()
        (run,) = await replica.work()
        assert [job.state for job in run.jobs] == ["stopped", "failed", "succeeded"]
    assert [attempt for attempt, _ in seen] == [1, 2, 3]
    assert {key for _, key in seen} == {idempotency_key("shop", "nightly", run_id, "job1")}


async def test_a_backfill_has_the_key_of_its_time_and_each_request_one_of_its_own() -> None:
    seen: list[tuple[str, str]] = []

    async def work(run: AsyncRun) -> None:
        seen.append((f"{run.scheduled_for:%d}", run.idempotency_key))

    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(work, catch_up="skip")) as replica:
        store.clock.set(TWO_O_CLOCK + 2.5 * DAY)  # three are missed
        assert await replica.work() == []
        days = Wanted("shop", "nightly", TWO_O_CLOCK, TWO_O_CLOCK + DAY)
        await store.write(lambda connection: backfill(connection, days, requested_by="ann"))
        await replica.work()
        requested = [await replica.trigger("nightly") for _ in range(2)]
        await replica.work()
    of_time = [("01", TWO_O_CLOCK), ("02", TWO_O_CLOCK + DAY)]
    assert seen[:2] == [(day, idempotency_key("shop", "nightly", at, "job1")) for day, at in of_time]
    assert [key for _, key in seen[2:]] == [idempotency_key("shop", "nightly", run_id, "job1") for run_id in requested]
    assert len({key for _, key in seen}) == 4
