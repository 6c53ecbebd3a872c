"""Grants that a client does not know, or has lost: the heartbeat releases them, and no other. A lost one is left alone while
work under it may go on, and until its ttl is over.
"""

import asyncio

import anyio
import pytest

from lease import Grant, LeaseTiming, Loss, LossKind, events
from lease.core import Core
from lease.errors import StoreUnavailable
from lease.grant_state import GrantState
from lease.heartbeat.heartbeat import ANY_NAME
from lease.heartbeat.orphan_release import QuarantinedGrants
from lease.model import mark_of
from lease.sync import LeaseClient
from lease.testing import ManualClock, MemoryStore
from tests.lease.beating import Beating
from tests.lease.stores import Recorder, until
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio


async def test_a_grant_that_the_client_does_not_know_is_released_at_once(beating: Beating) -> None:
    """Rule 6: the reply to its acquisition was lost, say."""
    state = await beating.hold("known")
    await beating.store.grant("orphan", "anna", "", 60.0)
    beating.clock.advance(0.25)
    async with beating.running():
        await until(lambda: beating.told.of(events.OrphanReleased))
    assert beating.told.of(events.OrphanReleased) == [events.OrphanReleased(Grant("orphan", 1, "anna"))]
    record = await beating.store.read("orphan")
    assert record is not None
    assert record.holder is None
    assert state.loss is None


@pytest.mark.usefixtures("passing_seconds")
async def test_a_grant_that_is_being_acquired_is_no_orphan(beating: Beating) -> None:
    """Rule 6."""
    await beating.hold("known")
    flight = beating.fly("flying")
    await beating.store.grant("flying", "anna", "", 60.0)
    async with beating.running():
        for number in (1, 2):
            beating.clock.advance(0.25)
            await beating.renewals(number)
        assert beating.store.releases == []
        beating.heartbeat.end_flight(flight, sure=False)
        beating.clock.advance(0.25)
        await until(lambda: beating.store.releases)


@pytest.mark.usefixtures("passing_seconds")
async def test_a_grant_whose_reply_was_lost_is_released_though_acquisitions_overlap_without_end(
    beating: Beating,
) -> None:
    """Rule 6: a busy replica always acquires something; only a flight that was open at first sight explains."""
    await beating.hold("known")
    first = beating.fly(ANY_NAME)
    await beating.store.grant("orphan", "anna", "", 60.0)  # and its reply is lost
    async with beating.running():
        beating.clock.advance(0.25)
        await beating.renewals(1)
        later = beating.fly(ANY_NAME)
        beating.heartbeat.end_flight(first, sure=False)
        beating.clock.advance(0.25)
        await until(lambda: beating.told.of(events.OrphanReleased))
        beating.heartbeat.end_flight(later, sure=True)
    assert beating.store.releases == [Grant("orphan", 1, "anna")]


@pytest.mark.usefixtures("passing_seconds")
async def test_an_acquisition_that_ended_in_doubt_is_looked_after_though_nothing_is_held(beating: Beating) -> None:
    async with beating.running():
        flight = beating.fly("flying")
        await beating.store.grant("flying", "anna", "", 60.0)
        beating.heartbeat.end_flight(flight, sure=False)
        await until(lambda: beating.told.of(events.OrphanReleased))
        beating.clock.advance(beating.timing.ttl)
        await until(lambda: beating.heartbeat.age() == 0)


async def test_a_grant_declared_lost_is_released_when_the_database_is_back(beating: Beating) -> None:
    """Rule 6: lost is final, so it is given back; the work was told of the loss before."""
    state = await beating.hold()
    async with beating.running():
        beating.store.available = False
        beating.clock.advance(1.01)
        await until(lambda: state.loss)
        beating.store.available = True
        beating.clock.advance(0.25)
        await beating.renewals(1)
        assert not beating.store.releases  # its work may be ending still: nobody else starts before the ttl
        beating.heartbeat.leave(state.grant)
        await until(lambda: beating.told.of(events.OrphanReleased))
    told = [type(event) for event in beating.told.all]
    assert told.index(events.Lost) < told.index(events.OrphanReleased)


async def test_a_lost_grant_is_released_when_the_database_is_back_though_nothing_else_is_held(beating: Beating) -> None:
    state = await beating.hold()
    async with beating.running():
        beating.store.available = False
        beating.clock.advance(1.01)
        await until(lambda: state.loss)
        beating.heartbeat.leave(state.grant)
        await until(lambda: beating.told.of(events.ReleaseFailed))
        beating.store.available = True
        beating.clock.advance(0.25)
        await until(lambda: beating.told.of(events.OrphanReleased))


async def test_work_that_ends_when_the_heartbeat_has_ended_is_left_to_its_ttl(beating: Beating) -> None:
    state = await beating.hold()
    async with beating.running():
        beating.heartbeat._lose(state, Loss(state.grant, LossKind.UNREACHABLE, "it was away"))
    beating.heartbeat.leave(state.grant)
    assert beating.store.releases == []


async def test_a_lost_grant_is_released_when_its_work_has_ended_and_no_renewal_is_waited_for(beating: Beating) -> None:
    state = await beating.hold()
    async with anyio.create_task_group() as tasks:
        beating.heartbeat._orphans.run_in(tasks)
        beating.heartbeat._lose(state, Loss(state.grant, LossKind.UNREACHABLE, "it was away"))
        beating.heartbeat.leave(state.grant)
    assert beating.told.of(events.OrphanReleased) == [events.OrphanReleased(state.grant)]


async def test_a_lost_grant_that_was_released_as_its_ttl_was_over_is_not_released_again_when_its_work_ends(
    beating: Beating,
) -> None:
    state = await beating.hold()
    beating.heartbeat._lose(state, Loss(state.grant, LossKind.UNREACHABLE, "it was away"))
    beating.clock.advance(beating.timing.ttl)
    async with anyio.create_task_group() as tasks:
        beating.heartbeat._orphans.run_in(tasks)
        await beating.beat()
    assert beating.store.releases == [state.grant]
    async with anyio.create_task_group() as tasks:
        beating.heartbeat._orphans.run_in(tasks)
        beating.heartbeat.leave(state.grant)
    assert beating.store.releases == [state.grant, mark_of(state.grant)]


@pytest.mark.usefixtures("passing_seconds")
async def test_a_release_that_hangs_delays_no_renewal_and_is_not_asked_for_twice(beating: Beating) -> None:
    """Rule 7: a row that somebody has locked (here: an orphan's, by a fenced transaction) delays no other."""
    state = await beating.hold("known")
    hanging, asked = asyncio.Event(), list[str]()

    async def release(grant: Grant) -> bool:
        asked.append(grant.name)
        await hanging.wait()
        raise StoreUnavailable("its row is locked")

    beating.store.release = release  # type: ignore[method-assign]
    await beating.store.grant("orphan", "anna", "", 60.0)
    async with beating.running():
        for number in (1, 2, 3):
            beating.clock.advance(0.25)
            await beating.renewals(number)
        assert asked == ["orphan"]
        hanging.set()
        await until(lambda: beating.told.of(events.ReleaseFailed))
    assert beating.told.of(events.AtRisk) == []
    assert state.loss is None


@pytest.mark.usefixtures("passing_seconds")
async def test_an_orphan_whose_release_failed_is_released_after_a_later_renewal(beating: Beating) -> None:
    """Rule 6."""
    await beating.hold("known")
    await beating.store.grant("orphan", "anna", "", 60.0)
    beating.store.refuses_releases = True
    async with beating.running():
        beating.clock.advance(0.25)
        await until(lambda: beating.told.of(events.ReleaseFailed))
        beating.store.refuses_releases = False
        beating.clock.advance(0.25)
        await until(lambda: beating.told.of(events.OrphanReleased))


@pytest.mark.usefixtures("passing_seconds")
async def test_a_lost_grant_that_cannot_be_released_is_renewed_no_more(beating: Beating) -> None:
    """Rule 6: it goes stale, though the other leases of this client are renewed again."""
    lost, kept = await beating.hold("lost"), await beating.hold("kept")
    beating.store.refuses_releases = True
    async with beating.running():
        beating.heartbeat._lose(lost, Loss(lost.grant, LossKind.UNREACHABLE, "it was away"))
        beating.heartbeat.leave(lost.grant)
        await until(lambda: beating.told.of(events.ReleaseFailed))
        for number in range(1, 9):
            beating.clock.advance(0.25)
            await beating.renewals(number)
    ended, alive = [await beating.store.read(name) for name in ("lost", "kept")]
    assert ended is not None
    assert alive is not None
    assert not ended.live
    assert alive.live
    assert kept.loss is None
    assert len(beating.told.of(events.ReleaseFailed)) > 1


TIMING = LeaseTiming(ttl=15)
FIRST, SECOND = Grant("a", 1, "anna"), Grant("b", 1, "anna")


def lost(grant: Grant, clock: ManualClock) -> GrantState:
    """Return a grant that was renewed last when trust in it had all its time still to go."""
    return GrantState(grant, clock() + TIMING.give_up, clock, Recorder())


@pytest.mark.parametrize("kind", [LossKind.UNREACHABLE, LossKind.SUSPENDED, LossKind.CLOSED])
def test_a_lost_grant_is_left_alone_until_its_ttl_is_over(kind: LossKind) -> None:
    clock = ManualClock()
    quarantined = QuarantinedGrants(TIMING, clock)
    quarantined.add(lost(FIRST, clock), kind)
    clock.advance(TIMING.ttl - 0.01)
    assert FIRST in quarantined
    assert quarantined.grants == [FIRST]
    clock.advance(0.01)
    assert FIRST not in quarantined
    assert quarantined.grants == []


@pytest.mark.parametrize("kind", [LossKind.ENDED, LossKind.BROKEN])
def test_what_the_database_has_no_more_is_not_left_alone(kind: LossKind) -> None:
    clock = ManualClock()
    quarantined = QuarantinedGrants(TIMING, clock)
    quarantined.add(lost(FIRST, clock), kind)
    assert FIRST not in quarantined
    assert not quarantined.drop(FIRST)


def test_a_grant_whose_ttl_was_nearly_over_is_left_alone_until_its_work_is_dead() -> None:
    clock = ManualClock()
    quarantined = QuarantinedGrants(TIMING, clock)
    state = lost(FIRST, clock)
    clock.advance(TIMING.ttl)
    quarantined.add(state, LossKind.SUSPENDED)
    clock.advance(TIMING.kill_time - 0.01)
    assert FIRST in quarantined
    clock.advance(0.01)
    assert FIRST not in quarantined


def test_what_is_left_alone_no_longer_is_forgotten_when_another_comes() -> None:
    """Or a client that loses leases for years would keep them all."""
    clock = ManualClock()
    quarantined = QuarantinedGrants(TIMING, clock)
    quarantined.add(lost(FIRST, clock), LossKind.CLOSED)
    clock.advance(TIMING.ttl)
    quarantined.add(lost(SECOND, clock), LossKind.CLOSED)
    assert not quarantined.drop(FIRST)
    assert quarantined.drop(SECOND)
    assert SECOND not in quarantined


def test_a_grant_that_its_holder_released_as_it_was_lost_is_left_alone_no_longer() -> None:
    async def lost_and_released(core: Core, state: GrantState) -> list[Grant]:
        core.heartbeat._lose(state, Loss(state.grant, LossKind.SUSPENDED, "a test"))
        alone = core.heartbeat.quarantined.grants
        await core.ended(state, released=True)
        assert core.heartbeat.quarantined.grants == []
        return alone

    with LeaseClient(store=MemoryStore()) as client:
        held = client.acquire("a")
        means = client._runtime.means
        assert means.loop.submit(lambda: lost_and_released(means.core, held._state)).result(LIMIT) == [held.grant]
