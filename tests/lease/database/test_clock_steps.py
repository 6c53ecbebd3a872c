"""The database's clock steps: within what is assumed of it nothing happens, and beyond that fences hold (rule 1)."""

from collections.abc import Iterator

import pytest

from lease import LeaseLost, LeaseTiming, LossKind, create_tables, events
from lease.sync import Lease, LeaseClient
from tests.lease.stores import Recorder, Tables
from tests.support.binaries import Binaries
from tests.support.moved_clock import MISSING, ClockedServer, library

pytestmark = [
    pytest.mark.skipif(library() is None, reason=MISSING),
    pytest.mark.usefixtures("processes", "passing_seconds"),
]

TIMING = LeaseTiming(ttl=15.0, renew_every=0.1)
ASSUMED = TIMING.ttl - TIMING.give_up - TIMING.kill_time
"""By so much at most it may step (2 s)."""
FAR = 60.0


@pytest.fixture
def server(postgres_programs: Binaries) -> Iterator[ClockedServer]:
    with ClockedServer(postgres_programs) as started:
        with Tables(started.url()) as tables:
            tables.run(create_tables)
        yield started


def test_steps_within_what_is_assumed_cost_no_lease_and_are_told(server: ClockedServer, told: Recorder) -> None:
    with (
        LeaseClient(server.url(), timing=TIMING, on_event=told) as client,
        LeaseClient(server.url()) as other,
        client.hold("a") as held,
    ):
        told.wait_for(events.Renewed)  # by which the next one is measured
        for seconds in (ASSUMED * 0.9, -ASSUMED * 0.9, 0.4, -0.4) * 5:
            renewed = len(told.of(events.Renewed))
            server.step(seconds)
            assert other.try_acquire("a") is None
            told.wait_for(events.Renewed, number=renewed + 2)  # one may have been on its way
            assert other.try_acquire("a") is None
        assert held.loss is None
        held.ensure()
        assert held.token == 1
    steps = [event.seconds for event in told.of(events.ClockStepped)]
    assert len(steps) == 10
    assert all(abs(abs(seconds) - ASSUMED * 0.9) < 0.5 for seconds in steps)


def test_beyond_that_another_may_be_granted_it_early_but_the_fence_of_the_first_fails_and_it_is_told(
    server: ClockedServer,
) -> None:
    told = Recorder()
    with (
        LeaseClient(server.url(), timing=LeaseTiming(ttl=15.0), on_event=told) as client,
        LeaseClient(server.url()) as other,
        Tables(server.url()) as tables,
    ):
        first, second = client.acquire("a"), None
        told.wait_for(events.Renewed)

        def taken() -> Lease | None:  # between two of its renewals
            server.step(FAR)
            return other.try_acquire("a")

        while second is None:
            second = taken()
        assert second.token == first.token + 1
        with pytest.raises(LeaseLost):
            tables.fence(first.grant)
        tables.fence(second.grant)
        lost = told.wait_for(events.Lost)
        assert lost.loss.kind is LossKind.ENDED
        assert "token 2" in lost.loss.cause
        assert told.wait_for(events.ClockStepped).seconds > FAR - 1
        second.release()


def test_a_clock_that_is_set_back_lets_leases_last_longer_and_no_two_hold_one(server: ClockedServer) -> None:
    told = Recorder()
    with LeaseClient(server.url(), on_event=told) as client, LeaseClient(server.url()) as other:
        held = client.acquire("a")
        server.step(-FAR)
        for _ in range(2):
            told.wait_for(events.Renewed, number=len(told.of(events.Renewed)) + 1)
            assert other.try_acquire("a") is None
        assert held.loss is None
        held.release()
        next_ = other.acquire("a", wait="10s")
        assert next_.token == 2
        next_.release()
