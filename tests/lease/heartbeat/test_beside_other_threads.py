"""What another thread does between two steps of the heartbeat: it takes what was granted, and its acquisition ends.

Each test puts that into the very moment at which the heartbeat looks at what is held.
"""

from collections.abc import Callable

import pytest

from lease import Grant
from lease.grant_state import HeldGrants
from lease.heartbeat.heartbeat import Flight, Heartbeat
from lease.testing import ManualClock, MemoryStore
from tests.lease.stores import QUICK, Recorder

pytestmark = pytest.mark.anyio


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


def a_heartbeat() -> tuple[Heartbeat, MemoryStore, ManualClock]:
    clock = ManualClock()
    store = MemoryStore(clock)
    return Heartbeat(store, QUICK, "anna", clock, Recorder()), store, clock


async def test_what_is_held_just_after_it_was_missed_is_no_orphan() -> None:
    """Rule 6: the renewal has it, the heartbeat has looked, and then its caller takes it and is done."""
    heartbeat, store, clock = a_heartbeat()
    grant = await store.grant("a", "anna", "", QUICK.ttl)
    assert isinstance(grant, Grant)
    flight = Flight("a")
    heartbeat.flights.under_way.add(flight)

    def land() -> None:
        heartbeat.held.add(heartbeat.state_of(grant, clock()))
        heartbeat.flights.under_way.discard(flight)

    heartbeat.held = SeenTooEarly(land)
    orphans: list[Grant] = []
    heartbeat._orphans.begin = orphans.extend  # type: ignore[method-assign, assignment]
    await heartbeat._beat(clock())
    assert heartbeat.held.get(grant) is not None
    assert orphans == []


async def test_what_is_taken_as_the_heartbeat_comes_to_rest_is_renewed() -> None:
    """Rule 8: it finds nothing that is held, another thread takes a grant, sees no rest, and it rests."""
    heartbeat, store, clock = a_heartbeat()
    grant = await store.grant("a", "anna", "", QUICK.ttl)
    assert isinstance(grant, Grant)
    heartbeat.rouse(clock())
    clock.advance(QUICK.ttl)

    def take() -> None:
        heartbeat.held.add(heartbeat.state_of(grant, clock()))
        assert not heartbeat.rests(), "nobody would rouse it"

    heartbeat.held = SeenTooEarly(take)
    await heartbeat._beat_when_due()
    assert not heartbeat.rests()
