"""Tests as users write them: time that they move, and causes that they can tell apart, in no real seconds."""

import asyncio
import threading
import time
import weakref
from datetime import timedelta

import pytest

from lease import Grant, InvalidDuration, LeaseLost, LeaseNotAcquired, LossKind, StoreUnavailable, events
from lease.testing import ManualClock, ManualLeases
from lease.testing.loop import ManualLoop
from lease.testing.store import MemoryStore
from tests.lease.stores import Recorder, in_thread
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.anyio

pytest_plugins = ["lease.testing.plugin"]


@pytest.mark.usefixtures("passing_seconds")
def test_a_lease_is_renewed_for_as_long_as_it_is_held(leases: ManualLeases, told: Recorder) -> None:
    with leases.client(on_event=told) as client, leases.client() as other, client.hold("a") as held:
        leases.advance("2h")
        held.ensure(at_least="5s")
        assert other.try_acquire("a") is None
    told.wait_for(events.Renewed, number=2_500)
    assert not told.of(events.Stalled)
    assert not told.of(events.Lost)


def test_a_database_that_is_away_for_too_long_is_told_as_that(leases: ManualLeases) -> None:
    with leases.client() as client:
        with pytest.raises(LeaseLost, match="database unreachable for 10s"), client.hold("a") as held:  # noqa: PT012
            with leases.database_away():
                leases.advance("9.5s")
                held.ensure()
                leases.advance("10.5s")
            assert held.lost.is_set()
        assert held.loss is not None
        assert held.loss.kind is LossKind.UNREACHABLE


def test_a_suspended_process_is_told_as_that(leases: ManualLeases) -> None:
    with leases.client() as client:
        with pytest.raises(LeaseLost, match="this process was suspended or starved for"), client.hold("a") as held:
            leases.suspend(timedelta(seconds=20))
        assert held.loss is not None
        assert held.loss.kind is LossKind.SUSPENDED


def test_a_stolen_lease_is_told_as_that_and_fenced_off(leases: ManualLeases) -> None:
    with leases.client() as client:
        with pytest.raises(LeaseLost, match="stolen by ben with token 2"), client.hold("a") as held:  # noqa: PT012
            leases.fence(held)
            grant = leases.steal("a", label="ben")
            held.ensure()
            with pytest.raises(LeaseLost, match="token 1 has ended"):
                leases.fence(held)
            leases.fence(grant)
            leases.advance("3s")
            assert held.lost.is_set()
        assert client.try_acquire("a") is None
        leases.suspend("15s")
        assert client.acquire("a").token == 3


def test_a_holder_that_is_gone_is_succeeded_after_its_ttl(leases: ManualLeases) -> None:
    gone = leases.steal("a")
    assert gone == Grant("a", 1, "another client 1")
    with leases.client() as client:
        leases.advance("14s")
        assert client.try_acquire("a") is None
        assert (record := client.read("a")) is not None
        assert (record.held_for, record.expires_in) == (14.0, 1.0)
        leases.advance("1s")
        assert client.acquire("a").token == 2


@pytest.mark.usefixtures("passing_seconds")
def test_a_wait_of_the_test_itself_lets_time_pass(leases: ManualLeases) -> None:
    begun = time.monotonic()
    with leases.client() as client, leases.client() as other, client.hold("a"):
        with pytest.raises(LeaseNotAcquired, match=r"\(waited 30m\)") as refused:
            other.acquire("a", wait="30m")
        assert refused.value.held_for == pytest.approx(1_800)
        leases.steal("b")
        assert other.acquire("b", wait=None).token == 2
    assert time.monotonic() - begun < LIMIT


@pytest.mark.usefixtures("passing_seconds")
def test_a_wait_that_nobody_can_end_is_an_error_and_no_hang(leases: ManualLeases) -> None:
    with leases.client() as client, leases.client() as other:
        client.acquire("a")
        with pytest.raises(AssertionError, match="manual clock has moved by 3h, and this call still waits"):
            other.acquire("a", wait=None)
        assert (record := client.read("a")) is not None
        assert record.waiting == ()


@pytest.mark.usefixtures("passing_seconds")
def test_a_wait_in_another_thread_waits_for_the_test_to_let_go(leases: ManualLeases) -> None:
    with leases.client() as client, leases.client() as other:
        held = client.acquire("a")
        with in_thread(lambda: other.acquire("a", wait="1h").token) as token:
            wait_until(lambda: (record := client.read("a")) is not None and record.waiting, "it waits")
            leases.advance("50m")
            assert held.release()
            assert token() == 2


def test_a_call_while_the_database_is_away_fails_at_once(leases: ManualLeases) -> None:
    with leases.client() as client, leases.database_away():
        with pytest.raises(StoreUnavailable):
            client.try_acquire("a")
        with pytest.raises(StoreUnavailable):
            client.acquire("a", wait="1m")
        with pytest.raises(StoreUnavailable):
            client.read("a")


@pytest.mark.parametrize("error", [StoreUnavailable("it is away"), ValueError("a bug")])
def test_a_call_is_tried_three_times_while_the_database_is_away_and_not_after_another_error(
    leases: ManualLeases, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    errors, asked = [StoreUnavailable("it is away"), error, error], list[float]()

    async def read(name: str) -> None:
        asked.append(leases.clock() - begun)
        raise errors[len(asked) - 1]

    with leases.client() as client:
        monkeypatch.setattr(leases.store, "read", read)
        begun, apart = leases.clock(), client.timing.retry_wait
        with pytest.raises(type(error), match=str(error)):
            client.read("a")
    assert asked == [0.0, apart, 2 * apart][: 3 if isinstance(error, StoreUnavailable) else 2]


def test_what_could_not_be_released_is_released_once_the_database_is_back(leases: ManualLeases) -> None:
    with leases.client() as client, leases.client() as other:
        held = client.acquire("a")
        with leases.database_away(), pytest.raises(StoreUnavailable):
            held.release()
        leases.advance("3s")
        assert other.acquire("a").token == 2


def test_what_has_ended_is_not_released_again(leases: ManualLeases, told: Recorder) -> None:
    with leases.client(on_event=told) as client:
        held, stolen = client.acquire("a"), client.acquire("b")
        assert held.release()
        assert not held.release()
        leases.steal("b")
        leases.advance("3s")
        assert stolen.lost.is_set()
        assert not stolen.release()
    assert [event.grant for event in told.of(events.Released)] == [held.grant]


def test_the_loop_of_a_client_is_closed_with_it(leases: ManualLeases) -> None:
    """Or a run of many tests would have no files left to open."""
    with leases.client() as client:
        assert client._runtime._loop is not None
        loop = client._runtime._loop._loop
    assert loop.is_closed()
    leases.advance("1m")
    assert leases.clock() == 1_060.0


@pytest.mark.usefixtures("passing_seconds")
def test_closing_does_not_wait_for_ever_for_work_that_does_not_end(leases: ManualLeases) -> None:
    begun, let_go = threading.Event(), threading.Event()

    def work() -> None:
        with client.hold("a"):
            begun.set()
            let_go.wait(LIMIT)

    with leases.client() as client, in_thread(work) as worked:
        assert begun.wait(LIMIT)
        client.__exit__()
        let_go.set()
        with pytest.raises(LeaseLost, match="the client was closed"):
            worked()


async def test_closing_lets_the_tasks_of_the_test_end_before_time_passes(leases: ManualLeases) -> None:
    async def work() -> None:
        async with client.hold("a"):
            begun.set()
            await asyncio.sleep(LIMIT)

    told, begun = Recorder(), asyncio.Event()
    async with leases.async_client(on_event=told) as client:
        working = asyncio.create_task(work())
        await begun.wait()
    with pytest.raises(LeaseLost, match="the client was closed"):
        await working
    assert told.of(events.Released)


async def test_the_block_of_an_async_client_is_cancelled_when_time_is_moved(leases: ManualLeases) -> None:
    async with leases.async_client() as client:
        with pytest.raises(LeaseLost, match="database unreachable for 10s"):  # noqa: PT012
            async with client.hold("a"):
                with leases.database_away():
                    leases.advance("20s")
                await asyncio.sleep(LIMIT)
        assert await client.try_acquire("a") is not None


async def test_a_waiting_task_is_granted_or_refused_when_time_is_moved(leases: ManualLeases) -> None:
    async with leases.async_client() as client, leases.async_client() as other, client.hold("a"):
        begun = leases.clock()
        waiting = asyncio.create_task(other.acquire("a", wait="30s"))
        await asyncio.sleep(0)
        assert leases.clock() == begun, "another task may be about to release it"
        leases.advance("29s")
        assert not waiting.done()
        leases.advance("2s")
        with pytest.raises(LeaseNotAcquired, match="waited 30s"):
            await waiting
        with leases.database_away(), pytest.raises(StoreUnavailable):
            await other.try_acquire("b")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(5.0)


def test_a_clock_moves_by_what_is_a_duration_and_nothing_else(clock: ManualClock) -> None:
    clock.advance("1m")
    clock.jump(timedelta(minutes=1))
    assert clock() == 125.0
    for wrong in ("soon", -1, None, True, "-5s"):
        with pytest.raises(InvalidDuration):
            clock.advance(wrong)  # type: ignore[arg-type]
        with pytest.raises(InvalidDuration):
            clock.jump(wrong)  # type: ignore[arg-type]
    assert clock() == 125.0


def test_what_cannot_be_the_name_of_a_lease_is_not_stolen(leases: ManualLeases) -> None:
    for wrong in ("", "two\nlines", None):
        with pytest.raises(ValueError, match="a lease's name"):
            leases.steal(wrong)  # type: ignore[arg-type]


def test_a_loop_is_not_at_rest_before_what_its_calls_left_to_do_is_done() -> None:
    entered, go = threading.Event(), threading.Event()
    loop = ManualLoop(lambda: 0.0, threading.Condition())
    assert not loop.is_at_rest, "it has not begun"

    def busy() -> None:
        entered.set()
        go.wait(LIMIT)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    loop.call_soon_threadsafe(loop.call_soon, busy)
    assert entered.wait(LIMIT)
    assert not loop.is_at_rest
    go.set()
    wait_until(lambda: loop.is_at_rest, "the loop is at rest")
    loop.call_soon_threadsafe(loop.stop)
    thread.join(LIMIT)
    loop.close()


def test_who_waits_for_a_loop_to_be_at_rest_is_told_that_it_was_closed() -> None:
    changed, looked = threading.Condition(), threading.Event()
    loop = ManualLoop(lambda: 0.0, changed)

    def is_at_rest() -> bool:
        looked.set()
        return loop.is_at_rest

    def wait() -> bool:
        with changed:
            return changed.wait_for(is_at_rest)

    with in_thread(wait) as waited:
        assert looked.wait(LIMIT)
        loop.close()
        assert waited()


@pytest.mark.parametrize("another_does", ["leave", "release", "release_all"])
def test_a_wait_in_memory_ends_once_each_time_that_it_is_told(another_does: str) -> None:
    async def told_once() -> bool:
        store = MemoryStore()
        grant = await store.grant("a", "another", "", 60.0)
        assert isinstance(grant, Grant)
        wait = store.waiting("a", "holder")
        match another_does:
            case "leave":
                await store.leave("a", "another")
            case "release":
                await store.release(grant)
            case _:
                await store.release_all("another", [])
        first = asyncio.create_task(wait(LIMIT, 0))
        for _ in range(10):
            await asyncio.sleep(0)
        assert first.done()
        again = asyncio.create_task(wait(LIMIT, 0))
        for _ in range(10):
            await asyncio.sleep(0)
        still_waits = not again.done()
        again.cancel()
        return still_waits

    assert asyncio.run(told_once())


def test_a_wait_in_memory_that_is_closed_is_kept_no_longer() -> None:
    async def forgotten() -> bool:
        wait = (store := MemoryStore()).waiting("a", "holder")
        kept = weakref.ref(wait)
        wait.close()
        del wait
        await store.leave("a", "another")
        return kept() is None

    assert asyncio.run(forgotten())
