"""A retry at work: it does what is left, as the occurrence of the run that it tries again (rule 16)."""

from collections.abc import Awaitable, Callable

import pytest

from daemon import AsyncRun, Schedules
from daemon.operations.retry import Retry, retry
from daemon.testing import ManualReplica, ManualStore
from tests.support.manual import ONE_O_CLOCK

pytestmark = pytest.mark.anyio


class Bank:
    """Three jobs, of which the second fails as long as the bank is away, and what they saw."""

    def __init__(self) -> None:
        self.is_away = True
        self.seen: list[tuple[str, str, str, int]] = []
        self.shop = Schedules("shop")
        self.nightly = self.shop.add("nightly", cron="0 2 * * *", params={"customer": 7})
        for name in ("fetch", "pay", "report"):
            self.nightly.job(name=name)(self.named(name))

    def named(self, name: str) -> Callable[[AsyncRun], Awaitable[None]]:
        async def job(run: AsyncRun) -> None:
            self.seen.append((name, str(run.scheduled_for), run.idempotency_key, run.params["customer"]))
            if name == "pay" and self.is_away:
                raise OSError("the bank is away")

        return job


async def retried(store: ManualStore, run_id: int, from_job: str | None = None) -> Retry:
    return await store.write(lambda c: retry(c, run_id, requested_by="ada", from_job=from_job))


@pytest.mark.parametrize("due", [True, False])
async def test_a_retry_does_what_is_left_as_the_same_occurrence(due: bool) -> None:
    bank = Bank()
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, bank.shop) as replica:
        if due:
            await replica.advance_to_next_due()
            (first,) = await replica.work()
        else:
            first = await replica.run_once("nightly", {"customer": 8})
        assert first.state == "failed"
        again = await retried(store, first.run.run_id)
        (second,) = await replica.work()
        assert (second.run.run_id, second.state) == (again.run_id, "failed")
        bank.is_away = False
        store.clock.advance(60.0)
        await retried(store, again.run_id)
        (third,) = await replica.work()
        assert third.state == "succeeded"
        assert third.run.scheduled_for == first.run.scheduled_for
    assert [name for name, *_ in bank.seen] == ["fetch", "pay", "pay", "pay", "report"]
    assert len({(instant, key, customer) for name, instant, key, customer in bank.seen if name == "pay"}) == 1
    assert len({(instant, customer) for _, instant, _, customer in bank.seen}) == 1


async def test_from_a_job_on_it_runs_that_and_all_that_follow_again() -> None:
    bank = Bank()
    bank.is_away = False
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, bank.shop) as replica:
        first = await replica.run_once("nightly")
        again = await retried(store, first.run.run_id, "pay")
        (second,) = await replica.work()
        assert (second.run.run_id, second.state) == (again.run_id, "succeeded")
        assert [(job.job, job.carried_from, job.attempt) for job in second.jobs] == [
            ("fetch", first.run.run_id, 1),
            ("pay", None, 1),
            ("report", None, 1),
        ]
    assert [name for name, *_ in bank.seen] == ["fetch", "pay", "report", "pay", "report"]
    keys = [key for _, _, key, _ in bank.seen]
    assert keys[1:3] == keys[3:]
