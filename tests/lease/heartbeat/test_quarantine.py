"""How long a lost grant is left alone: while work under it may go on, and until its ttl is over."""

import pytest

from lease import Grant, LeaseTiming, Loss, LossKind
from lease.core import Core
from lease.grant_state import GrantState
from lease.heartbeat.orphan_release import QuarantinedGrants
from lease.sync import LeaseClient
from lease.testing import ManualClock, MemoryStore
from tests.lease.stores import Recorder
from tests.support.waiting import LIMIT

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
