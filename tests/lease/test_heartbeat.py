"""The heartbeat on a store in memory: what extends trust, what ends it, and what stops the heartbeat (nothing)."""

import asyncio
import gc
import re
import weakref
from collections.abc import Callable, Collection

import pytest

from lease import Grant, LeaseLost, LeaseTiming, Loss, LossKind, events
from lease.grant_state import HeldGrants
from lease.model import Renewal
from tests.lease.beating import Beating
from tests.lease.stores import until

pytestmark = pytest.mark.anyio


async def test_a_grant_is_trusted_from_when_it_was_asked_for(beating: Beating) -> None:
    """Rule 2."""
    sent = beating.clock()
    beating.clock.advance(0.4)
    state = beating.heartbeat.adopt(Grant("a", 1, "anna"), sent)
    assert state.trusted_until == sent + beating.timing.give_up
    assert state.remaining() == pytest.approx(0.6)


async def test_a_slow_renewal_that_succeeds_does_not_extend_trust_beyond_what_was_sent(beating: Beating) -> None:
    """Rule 2, and the mistake of counting from the reply."""
    state = await beating.hold()
    beating.store.before_answer = lambda: beating.clock.advance(0.5)
    sent = beating.clock()
    await beating.beat()
    assert state.trusted_until == sent + beating.timing.give_up
    renewed = beating.told.of(events.Renewed)[-1]
    assert renewed.margin == pytest.approx(0.5)
    assert renewed.took == pytest.approx(0.5)


async def test_a_reply_that_comes_after_trust_has_ended_revives_nothing(beating: Beating) -> None:
    """Rule 2."""
    state = await beating.hold()
    beating.store.before_answer = lambda: beating.clock.advance(1.0)
    beating.clock.advance(0.1)
    await beating.beat()
    assert state.remaining() == 0
    assert beating.told.of(events.Renewed) == []
    with pytest.raises(LeaseLost):
        state.ensure()
    await beating.watch()
    assert state.loss is not None


async def test_a_loss_is_final(beating: Beating) -> None:
    """Rule 6."""
    state = await beating.hold()
    beating.clock.advance(1.0)
    await beating.watch()
    beating.clock._now -= 1.0
    assert not state.extend(beating.clock() + 1_000)
    assert state.remaining() == 0
    assert len(beating.told.of(events.Lost)) == 1


async def test_one_failed_renewal_loses_nothing_and_the_next_follows_after_retry_wait(beating: Beating) -> None:
    """Rules 3 and 9, and the mistake of counting one failed renewal as loss."""
    state = await beating.hold()
    beating.store.available = False
    await beating.beat_when_due()
    assert state.loss is None
    (risk,) = beating.told.of(events.AtRisk)
    assert risk.grants == (state.grant,)
    assert "unavailable" in risk.cause
    assert risk.remaining == pytest.approx(state.remaining()) == pytest.approx(0.75)
    assert beating.heartbeat._next_beat == beating.clock() + beating.timing.retry_wait
    beating.store.available = True
    await beating.beat_when_due()
    assert state.trusted_until == beating.clock() + beating.timing.give_up
    assert beating.heartbeat._next_beat == beating.clock() + beating.timing.renew_every


async def test_an_outage_as_long_as_the_tolerated_one_loses_nothing() -> None:
    """Rule 3: it begins right after a renewal, and an attempt hangs at its end."""
    beating = Beating(LeaseTiming())
    state = await beating.hold()
    beating.store.available = False
    ends = beating.clock() + beating.timing.renew_every + beating.timing.tolerated_outage
    while beating.clock() < ends:
        await beating.beat_when_due()
        beating.clock.advance(beating.timing.attempt_timeout / 2)
    assert state.remaining() > 0
    beating.store.available = True
    await beating.beat_when_due()
    assert state.remaining() == beating.timing.give_up


@pytest.mark.usefixtures("passing_seconds")
@pytest.mark.parametrize("idle", [0.0, 7_200.0], ids=["from the start", "after two hours with nothing held"])
async def test_a_lease_is_lost_at_give_up_and_the_cause_says_for_how_long_the_database_was_away(
    beating: Beating, idle: float
) -> None:
    beating.clock.advance(idle)
    state = await beating.hold()
    beating.store.available = False
    for _ in range(6):
        beating.clock.advance(0.15)
        await beating.beat_when_due()
        await beating.watch()
    while state.loss is None:
        assert beating.clock() < state.trusted_until + 0.1
        beating.clock.advance(0.05)
        await beating.watch()
    assert state.loss.kind is LossKind.UNREACHABLE
    assert re.match(r"database unreachable for 1(\.\d+)?s ", state.loss.cause)
    assert "the test has made the store in memory unavailable" in state.loss.cause
    assert beating.told.of(events.Lost) == [events.Lost(state.loss)]


@pytest.mark.usefixtures("passing_seconds")
async def test_a_row_that_cannot_be_renewed_is_unknown_and_no_loss(beating: Beating) -> None:
    """Rules 7 and 9."""
    locked, other = await beating.hold("locked"), await beating.hold("other")
    beating.store.before_answer = lambda: None
    whole = beating.store.renew

    async def renew(holder: str, ttl: float, expected: Collection[Grant], besides: Collection[Grant] = ()) -> Renewal:
        renewal = await whole(holder, ttl, expected, besides)
        record = await beating.store.read("locked")
        assert record is not None
        return Renewal(renewal.pairs - {("locked", 1)}, {"locked": record}, renewal.database_time)

    beating.store.renew = renew  # type: ignore[method-assign]
    beating.clock.advance(0.3)
    await beating.beat()
    assert not locked.lost.is_set()
    assert [risk.grants for risk in beating.told.of(events.AtRisk)] == [(locked.grant,)]
    assert other.remaining() == beating.timing.give_up
    for _ in range(5):
        beating.clock.advance(0.15)
        await beating.beat()
        await beating.watch()
    assert other.loss is None
    assert locked.loss is not None
    assert locked.loss.cause == "another transaction has had its row locked for 1.05s"


async def test_an_exception_in_the_store_does_not_end_the_heartbeat(beating: Beating) -> None:
    """Rule 8, and the mistake of a heartbeat that ends at its first exception."""
    state = await beating.hold()
    beating.store.raises = [RuntimeError("a bug"), asyncio.CancelledError(), ValueError("another")]
    beating.clock.advance(0.25)
    async with beating.running():
        await until(lambda: beating.told.of(events.HeartbeatFailed))
        for number in (2, 3):
            beating.clock.advance(beating.timing.retry_wait)
            await beating.failures(number)
        beating.clock.advance(beating.timing.retry_wait)
        await until(lambda: beating.told.of(events.Renewed))
    assert beating.told.of(events.HeartbeatFailed)[0].error == "RuntimeError: a bug"
    assert state.loss is None


@pytest.mark.usefixtures("passing_seconds")
async def test_nothing_held_costs_nothing(beating: Beating) -> None:
    """Rule 8."""
    async with beating.running():
        state = await beating.hold()
        beating.clock.advance(0.25)
        await until(lambda: beating.store.renewals == 1)
        beating.heartbeat.forget(state)
        for _ in range(10):
            beating.clock.advance(0.25)
            await asyncio.sleep(0.03)
        assert beating.store.renewals == 1
        assert beating.heartbeat.age() == 0
        await beating.hold("b")
        beating.clock.advance(0.25)
        await until(lambda: beating.store.renewals == 2)


async def test_a_heartbeat_that_is_dropped_in_the_midst_of_a_step_ends_in_silence(beating: Beating) -> None:
    await beating.hold()
    watching = beating.heartbeat._forever(beating.heartbeat._watch_once)
    watching.send(None)
    watching.close()  # as the collector does with what nobody runs any more
    assert beating.told.of(events.HeartbeatFailed) == []


@pytest.mark.usefixtures("passing_seconds")
async def test_its_age_counts_from_when_it_was_last_seen_at_work(beating: Beating) -> None:
    beating.clock.advance(7_200.0)  # with nothing to do
    state = await beating.hold()
    beating.clock.advance(0.4)
    assert beating.heartbeat.age() == pytest.approx(0.4)
    await beating.watch()
    assert beating.heartbeat.age() == 0
    beating.heartbeat.forget(state)
    await beating.beat_when_due()
    beating.clock.advance(7_200.0)
    beating.heartbeat.sweep()
    assert beating.heartbeat.age() == 0


@pytest.mark.parametrize("error", [BrokenPipeError, pytest.fail.Exception, SystemExit, asyncio.CancelledError])
async def test_a_callback_that_raises_harms_neither_the_heartbeat_nor_the_other_leases(
    beating: Beating, error: type[BaseException]
) -> None:
    """Rule 8: nothing that a job does stops it."""
    first, second = await beating.hold("first"), await beating.hold("second")
    calls = []

    def broken(trusted_until: float) -> None:
        calls.append(trusted_until)
        if len(calls) > 1:
            raise error

    def leaving(_: object) -> None:
        raise SystemExit(1)

    def cancelled(_: object) -> None:
        raise asyncio.CancelledError

    first.watch(broken)
    first.on_lost(leaving)
    first.on_lost(cancelled)
    beating.clock.advance(0.25)
    await beating.beat()
    assert len(calls) == 2
    assert first.remaining() == second.remaining() == beating.timing.give_up
    beating.clock.advance(2.0)
    await beating.watch()
    assert first.loss is not None
    assert second.loss is not None
    assert len(beating.told.of(events.Lost)) == 2
    failed = [(told.grant.name, type(told.error)) for told in beating.told.of(events.CallbackFailed)]
    assert failed == [("first", error), ("first", SystemExit), ("first", asyncio.CancelledError)]


async def test_whoever_watches_is_told_each_new_end_of_trust_and_of_the_loss_once(beating: Beating) -> None:
    state = await beating.hold()
    ends: list[float] = []
    losses: list[object] = []
    state.watch(ends.append)
    state.on_lost(losses.append)
    beating.clock.advance(0.25)
    await beating.beat()
    beating.clock.advance(1.0)
    await beating.watch()
    state.on_lost(losses.append)
    assert ends == [1_001.0, 1_001.25]
    assert losses == [state.loss, state.loss]


async def test_a_release_under_way_is_no_loss(beating: Beating) -> None:
    state = await beating.hold()
    with state.being_ended():
        await beating.store.release(state.grant)
        await beating.beat()
    assert state.loss is None
    beating.heartbeat.forget(state)
    with pytest.raises(LeaseLost, match="was released"):
        state.ensure()


async def test_a_release_that_ends_while_a_renewal_is_under_way_is_no_loss(beating: Beating) -> None:
    state = await beating.hold()
    await beating.store.release(state.grant)
    beating.store.before_answer = lambda: beating.heartbeat.forget(state)
    await beating.beat()
    assert state.loss is None


async def test_what_is_left_to_its_ttl_is_not_renewed_once_all_is_lost_and_the_first_cause_stays(
    beating: Beating,
) -> None:
    await beating.hold()
    for cause in ("the heartbeat has ended", "the client was closed"):
        beating.heartbeat.lose_all(cause)
    await beating.beat_when_due()
    assert beating.store.renewals == 0
    late = beating.heartbeat.adopt(Grant("late", 1, "anna"), beating.clock())
    assert late.loss is not None
    assert late.loss.cause == "the heartbeat has ended"


async def test_what_ends_as_the_heartbeat_finds_it_lost_is_not_lost(beating: Beating) -> None:
    state = await beating.hold()
    state.finish()
    beating.heartbeat._lose(state, Loss(state.grant, LossKind.SUSPENDED, "a test"))
    assert (beating.told.of(events.Lost), beating.heartbeat.quarantined.grants) == ([], [])


async def test_what_was_released_is_kept_by_nobody(beating: Beating) -> None:
    state = await beating.hold()
    beating.heartbeat.forget(state)
    kept = weakref.ref(state)
    del state
    gc.collect()
    assert kept() is None


async def test_a_grant_that_has_ended_although_its_release_failed_is_lost(beating: Beating) -> None:
    state = await beating.hold()
    with pytest.raises(ConnectionError), state.being_ended():  # noqa: PT012
        await beating.store.release(state.grant)
        raise ConnectionError
    await beating.beat()
    assert state.loss is not None


async def test_a_step_of_the_databases_clock_is_told_and_a_slow_answer_is_none(beating: Beating) -> None:
    """Rule 1."""
    state = await beating.hold()
    shift = 0.0
    whole = beating.store.renew

    async def renew(holder: str, ttl: float, expected: Collection[Grant], besides: Collection[Grant] = ()) -> Renewal:
        renewal = await whole(holder, ttl, expected, besides)
        return Renewal(renewal.pairs, renewal.missing, beating.clock() + shift)

    beating.store.renew = renew  # type: ignore[method-assign]
    beating.store.before_answer = lambda: beating.clock.advance(8.0)  # answers at the end of a slow round trip
    await beating.beat()
    beating.store.before_answer = lambda: None
    await beating.beat()
    assert beating.told.of(events.ClockStepped) == []
    for seconds in (-30.0, -29.6, -28.9):  # less than half a second is none
        shift = seconds
        await beating.beat()
    assert [stepped.seconds for stepped in beating.told.of(events.ClockStepped)] == pytest.approx([-30.0, 0.7])
    assert state.loss is None
    beating.heartbeat.forget(state)
    await beating.beat_when_due()
    shift = -25.0
    await beating.hold("b")
    await beating.beat()
    assert len(beating.told.of(events.ClockStepped)) == 2, "clocks drift apart while nothing is held"


async def test_ensure_asks_for_as_much_trust_as_it_is_told(beating: Beating) -> None:
    state = await beating.hold()
    state.ensure("900ms")
    with pytest.raises(LeaseLost, match="may be trusted for 1s only, not for 5s"):
        state.ensure(at_least="5s")
    beating.clock.advance(0.9)
    state.ensure()  # any trust is enough, unless more is asked for
    assert state.loss is None


class SeenTooEarly(HeldGrants):
    """What is held, looked at by the heartbeat just before another thread does ``step``, once."""

    def __init__(self, step: Callable[[], None]) -> None:
        super().__init__()
        self._steps = [step]

    def _seen(self, found: bool) -> bool:
        if not found and self._steps:
            self._steps.pop()()
        return found

    def __contains__(self, grant: object) -> bool:
        return self._seen(super().__contains__(grant))

    def __bool__(self) -> bool:
        return self._seen(super().__bool__())


async def test_what_is_held_just_after_it_was_missed_is_no_orphan(beating: Beating) -> None:
    """Rule 6: the renewal has it, the heartbeat has looked, and then its caller takes it and is done."""
    heartbeat, grant, flight = beating.heartbeat, await beating.granted(), beating.fly("a")

    def land() -> None:
        heartbeat.held.add(heartbeat.state_of(grant, beating.clock()))
        heartbeat.flights.under_way.discard(flight)

    heartbeat.held = SeenTooEarly(land)
    orphans: list[Grant] = []
    heartbeat._orphans.begin = orphans.extend  # type: ignore[method-assign, assignment]
    await beating.beat()
    assert heartbeat.held.get(grant) is not None
    assert orphans == []


async def test_what_is_taken_as_the_heartbeat_comes_to_rest_is_renewed(beating: Beating) -> None:
    """Rule 8: it finds nothing that is held, another thread takes a grant, sees no rest, and it rests."""
    heartbeat, grant = beating.heartbeat, await beating.granted()
    heartbeat.rouse(beating.clock())
    beating.clock.advance(beating.timing.ttl)

    def take() -> None:
        heartbeat.held.add(heartbeat.state_of(grant, beating.clock()))
        assert not heartbeat.rests(), "nobody would rouse it"

    heartbeat.held = SeenTooEarly(take)
    await heartbeat._beat_when_due()
    assert not heartbeat.rests()
