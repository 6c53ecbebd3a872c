"""The contact with the database: what changes is reported, and once."""

import pytest

from daemon.service.replica import DatabaseContact
from daemon.telemetry.facts import DatabaseAway, DatabaseBack, Fact
from lease.testing import ManualClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    clock = ManualClock()
    monkeypatch.setattr("daemon.service.replica.monotonic", clock)
    return clock


def test_that_it_is_away_is_reported_once_with_the_first_error_and_that_it_is_back_once(clock: ManualClock) -> None:
    facts: list[Fact] = []
    contact = DatabaseContact(facts.append)
    contact.kept()
    assert (facts, contact.lost_for()) == ([], None)
    contact.lost("connection refused")
    clock.advance(3)
    contact.lost("no answer within 2s")
    assert contact.lost_for() == 3
    clock.advance(1)
    contact.kept()
    contact.kept()
    assert facts == [DatabaseAway("connection refused"), DatabaseBack(4)]
    assert contact.lost_for() is None


def test_each_outage_counts_from_its_own_beginning(clock: ManualClock) -> None:
    facts: list[Fact] = []
    contact = DatabaseContact(facts.append)
    for seconds in (5, 7):
        contact.lost("connection refused")
        clock.advance(seconds)
        contact.kept()
    assert [fact.seconds for fact in facts if isinstance(fact, DatabaseBack)] == [5, 7]
