"""What of a risk that lasts is news, and what is logged of it."""

import logging

import pytest

from lease import Grant, LeaseTiming, events
from lease.grant_state import GrantState
from lease.heartbeat.evidence import QUIET, Risks
from lease.testing import ManualClock, ManualLeases

CLOCK = ManualClock()
A, B = (GrantState(Grant(name, 1, "anna"), CLOCK() + 8.0, CLOCK, lambda _: None) for name in "ab")
HELD = {A.grant, B.grant}


def again(risks: Risks, states: list[GrantState], now: float) -> bool:
    risk = risks.seen(states, "away", now)
    assert isinstance(risk, events.AtRisk)
    return risk.again


def test_an_event_says_what_is_at_risk_and_how_much_trust_is_left() -> None:
    assert Risks(HELD.__contains__).seen([A, B], "away", 5.0) == events.AtRisk(
        (A.grant, B.grant), "away", 8.0, again=False
    )
    assert Risks(HELD.__contains__).seen([], "away", 5.0) is None


def test_a_risk_is_news_at_first_and_then_every_ten_seconds() -> None:
    risks = Risks(HELD.__contains__)
    assert [again(risks, [A], now) for now in (5.0, 5.5, 4.9 + QUIET, 5.0 + QUIET, 5.5 + QUIET)] == [
        False,
        True,
        True,
        False,
        True,
    ]


def test_a_further_grant_at_risk_is_news_and_one_less_is_not() -> None:
    risks = Risks(HELD.__contains__)
    assert [again(risks, states, 5.0) for states in ([A], [A, B], [B], [A])] == [False, False, True, True]


def test_a_risk_after_a_renewal_of_all_is_news() -> None:
    risks = Risks(HELD.__contains__)
    assert not again(risks, [A], 5.0)
    assert risks.seen([], "", 6.0) == events.OutOfRisk((A.grant,), 1.0)
    assert risks.seen([], "", 6.5) is None
    assert not again(risks, [A], 7.0)


def test_the_end_of_a_risk_is_news_once_with_what_is_still_held_and_how_long_it_took() -> None:
    held = {A.grant, B.grant}
    risks = Risks(held.__contains__)
    for now, states in ((5.0, [B]), (5.5, [A, B]), (7.0, [A])):
        again(risks, states, now)
    assert risks.seen([], "", 8.0) == events.OutOfRisk((A.grant, B.grant), 3.0)
    again(risks, [A, B], 9.0)
    held.remove(A.grant)
    assert risks.seen([], "", 9.5) == events.OutOfRisk((B.grant,), 0.5)
    again(risks, [B], 10.0)
    held.clear()
    assert risks.seen([], "", 11.0) is None


def test_a_client_logs_a_long_outage_now_and_then_and_tells_its_subscriber_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    leases = ManualLeases()
    caplog.set_level(logging.WARNING, logger="lease")
    told: list[events.Event] = []

    def subscriber(event: events.Event) -> None:
        told.append(event)
        events.log_event(event)

    timing = LeaseTiming("1m", retry_wait="0.25s")
    with leases.client(timing=timing, on_event=subscriber) as client, client.hold("a"):
        for _ in range(2):
            leases.advance("20s")
            with leases.database_away():
                leases.advance("25s")
        leases.advance("20s")
    assert len([event for event in told if isinstance(event, events.AtRisk)]) > 50
    assert 4 <= len([line for line in caplog.messages if "AtRisk" in line]) <= 6
    assert len([event for event in told if isinstance(event, events.OutOfRisk)]) == 2
