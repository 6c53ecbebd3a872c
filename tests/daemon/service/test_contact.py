"""The contact with the database: what changes is reported, and once."""

import pytest

from daemon.service.replica import DatabaseContact
from daemon.telemetry.facts import DatabaseAway, DatabaseBack, Fact
from lease.errors import StoreUnavailable
from lease.testing import ManualClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    clock = ManualClock()
    monkeypatch.setattr("daemon.service.replica.monotonic", clock)
    return clock


async def lose(contact: DatabaseContact, said: str) -> None:
    async def fail() -> str:
        raise StoreUnavailable(said)

    assert await contact.during(fail) is None


async def keep(contact: DatabaseContact) -> None:
    async def work() -> str:
        return "done"

    assert await contact.during(work) == "done"


async def test_that_it_is_away_is_reported_once_with_the_first_error_and_that_it_is_back_once(
    clock: ManualClock,
) -> None:
    facts: list[Fact] = []
    contact = DatabaseContact(facts.append)
    await keep(contact)
    assert (facts, contact.lost_for()) == ([], None)
    await lose(contact, "connection refused")
    clock.advance(3)
    await lose(contact, "no answer within 2s")
    assert contact.lost_for() == 3
    clock.advance(1)
    await keep(contact)
    await keep(contact)
    assert facts == [DatabaseAway("connection refused"), DatabaseBack(4)]
    assert contact.lost_for() is None


async def test_each_outage_counts_from_its_own_beginning(clock: ManualClock) -> None:
    facts: list[Fact] = []
    contact = DatabaseContact(facts.append)
    for seconds in (5, 7):
        await lose(contact, "connection refused")
        clock.advance(seconds)
        await keep(contact)
    assert [fact.seconds for fact in facts if isinstance(fact, DatabaseBack)] == [5, 7]
