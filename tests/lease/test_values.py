"""The small pure parts: verdicts, names, events; the queue of waiters, where who came first and how long a lease has been free
decide whose turn it is; what of a risk that lasts is news, and what is logged of it.
"""

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lease import Break, Grant, InvalidName, LeaseRecord, LeaseTiming, Loss, LossKind, events
from lease.grant_state import GrantState
from lease.heartbeat.evidence import QUIET, Risks, judge, strangers
from lease.heartbeat.heartbeat import ANY_NAME, Flight, explanations
from lease.model import DAEMON, Renewal, check_name, is_turn_of
from lease.statements.queues import Queue
from lease.testing import ManualClock, ManualLeases
from lease.waiters import (
    PATIENCE,
    STEP,
    TOLD,
    Awaited,
    Waiter,
    ahead_of,
    beginning_with,
    behind,
    entry_of,
    format_release,
    format_waiters,
    joined,
    may_take,
    parse_release,
    parse_waiters,
    turn_in,
    without,
)

A, B = Grant("a", 1, "anna"), Grant("b", 4, "anna")


def record(grant: Grant | None, name: str = "a", token: int = 1, label: str | None = None) -> LeaseRecord:
    holder = None if grant is None else grant.holder
    token = token if grant is None else grant.token
    return LeaseRecord(name, token, holder, label, None, None, None, None, live=grant is not None)


def test_the_kinds_of_a_loss_are_words_that_programs_may_keep() -> None:
    assert [kind.value for kind in LossKind] == ["ended", "broken", "unreachable", "suspended", "closed"]


def test_each_expected_grant_is_renewed_or_unknown_or_ended() -> None:
    renewal = Renewal(frozenset({("a", 1)}), {"b": record(B, "b")}, 0.0)
    verdicts = judge([A, B], renewal)
    assert (verdicts.renewed, verdicts.unknown, verdicts.ended) == ((A,), (B,), ())


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (record(Grant("a", 2, "ben"), label="ben's host:17"), "stolen by ben's host:17 with token 2"),
        (record(Grant("a", 2, "ben")), "stolen by ben with token 2"),
        (record(Grant("a", 2, "anna")), "stolen by anna with token 2"),
        (record(None), "it had gone stale, and was freed (token 1)"),
        (None, "its row is gone"),
    ],
)
def test_a_grant_that_is_over_is_ended_with_its_cause(found: LeaseRecord | None, cause: str) -> None:
    verdicts = judge([A], Renewal(frozenset(), {} if found is None else {"a": found}, None))
    assert verdicts.ended == (Loss(A, LossKind.ENDED, cause),)


@pytest.mark.parametrize("holder", ["broken:anna", None, "ben"])
def test_a_grant_that_was_broken_is_lost_by_that_whatever_came_after_it(holder: str | None) -> None:
    made = Break("ben", "it hangs", datetime(2026, 7, 1, tzinfo=UTC), A.holder, None, A.token)
    found = replace(record(None if holder is None else Grant("a", 2, holder)), broken=made)
    verdicts = judge([A], Renewal(frozenset(), {"a": found}, None))
    assert verdicts.ended == (Loss(A, LossKind.BROKEN, "broken by ben because it hangs"),)


def test_a_grant_after_a_broken_one_is_not_lost_by_that_break() -> None:
    made = Break("ben", "it hangs", datetime(2026, 7, 1, tzinfo=UTC), A.holder, None, A.token)
    (loss,) = judge(
        [Grant("a", 2, "anna")], Renewal(frozenset(), {"a": replace(record(None), broken=made)}, None)
    ).ended
    assert loss.kind is LossKind.ENDED


def test_a_renewal_of_another_token_of_the_name_does_not_count_for_this_grant() -> None:
    verdicts = judge([A], Renewal(frozenset({("a", 2)}), {"a": record(Grant("a", 2, "anna"))}, 0.0))
    assert verdicts.renewed == ()
    assert len(verdicts.ended) == 1


def test_a_pair_that_is_not_held_is_a_stranger() -> None:
    """Rule 6."""
    renewal = Renewal(frozenset({("a", 1), ("b", 4), ("c", 2)}), {}, 0.0)
    assert strangers(renewal, "anna", {A}) == [B, Grant("c", 2, "anna")]
    assert strangers(renewal, "anna", {A, B, Grant("c", 2, "anna")}) == []


def test_an_earlier_token_of_a_name_that_is_held_is_a_stranger() -> None:
    assert strangers(Renewal(frozenset({("a", 1)}), {}, 0.0), "anna", {Grant("a", 2, "anna")}) == [A]


def test_a_stranger_is_explained_by_the_flights_that_were_under_way_when_it_was_first_seen() -> None:
    """Rule 6."""
    of_a, of_b, of_any, later = Flight("a"), Flight("b"), Flight(ANY_NAME), Flight("a")
    first = explanations([A], {}, {of_a, of_b, of_any})
    assert first == {A: {of_a, of_any}}
    second = explanations([A, B], first, {of_any, later})
    assert second == {A: {of_any}, B: {of_any}}, "and by none that has begun since"
    assert explanations([A], second, {later}) == {A: frozenset()}
    assert explanations([], second, {of_any}) == {}


def test_it_is_nobodys_turn_while_a_lease_is_live_and_anybodys_once_it_is_free() -> None:
    assert not is_turn_of("ben", record(A))
    assert is_turn_of("ben", record(None))


@pytest.mark.parametrize(
    "name",
    ["a", "x" * 255, "run/shop/daily", " ", "é", "\N{SNOWMAN}", "\N{ZERO WIDTH JOINER}", "\N{NO-BREAK SPACE}", "'; --"],
)
def test_a_name_of_1_to_255_characters_is_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb", "a\0b", "\x1f", "\x7f", "\x9f", "\ud800", None, 7, b"a"])
def test_any_other_name_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(InvalidName) as refused:
        check_name(name)
    assert "a lease's name" in str(refused.value)
    assert "\n" not in str(refused.value)
    str(refused.value).encode()


@pytest.mark.parametrize("name", ["run", "Run/a", "a/run/b", "\N{BELL}check"])
def test_a_name_that_does_not_begin_as_the_daemons_do_is_free_for_all(name: str) -> None:
    assert check_name(name, taken=DAEMON) == name


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (events.Renewed((A,), 7.5, 0.01), logging.DEBUG),
        (events.Lost(Loss(A, LossKind.ENDED, "stolen")), logging.WARNING),
        (events.AtRisk((A,), "away", 3.0), logging.WARNING),
        (events.AtRisk((A,), "away", 2.5, again=True), logging.DEBUG),
        (events.OutOfRisk((A,), 2.5), logging.INFO),
        (events.HeartbeatFailed("a bug"), logging.ERROR),
        (events.OrphanReleased(A), logging.INFO),
    ],
)
def test_events_are_logged_by_default_and_losses_are_warnings(
    event: events.Event, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="lease"):
        events.log_event(event)
    assert [entry.levelno for entry in caplog.records] == [level]


ANNA, BEN, CLEO = (Waiter(name, f'{name}\'s \N{SNOWMAN} "host"', 100.0) for name in ("anna", "ben", "cleo"))
QUEUE = (ANNA, BEN, CLEO)


def test_the_queue_survives_its_row() -> None:
    assert parse_waiters(format_waiters(QUEUE), now=99.0) == QUEUE
    assert format_waiters(()) is None
    assert parse_waiters(None, now=0.0) == ()


def test_what_a_later_version_adds_to_a_place_is_passed_over() -> None:
    assert parse_waiters('[["anna", "anna", 100.0, "more"]]', now=99.0) == (Waiter("anna", "anna", 100.0),)


def test_of_the_names_that_others_wait_for_a_client_remembers_only_some() -> None:
    awaited = Awaited()
    for number in range(3_000):
        awaited.add(f"name {number}")
    assert awaited.take("name 2998")
    assert awaited.take("name 2999")
    assert not awaited.take("name 2999"), "until it is asked for"
    assert not awaited.take("name 0")


def test_a_place_lapses_with_a_client_that_does_not_look_again() -> None:
    late = Waiter("ben", "ben", 120.0)
    assert parse_waiters(format_waiters((ANNA, late, CLEO)), now=100.0) == (late,)


def test_the_first_is_known_by_how_the_row_begins() -> None:
    odd = Waiter('b"en\\ \N{SNOWMAN}', "", 100.0)
    for first in (*QUEUE, odd):
        column = format_waiters((first, CLEO))
        assert column is not None
        assert [one for one in (*QUEUE, odd) if column.startswith(beginning_with(one.holder))] == [first]


def test_who_has_a_place_is_known_by_an_entry_of_the_row() -> None:
    column = format_waiters((ANNA, CLEO))
    assert column is not None
    assert [one for one in QUEUE if entry_of(one.holder) in column] == [ANNA, CLEO]


def test_a_client_has_one_place_and_a_newcomer_comes_last() -> None:
    again = Waiter("anna", "anna", 130.0)
    assert joined(QUEUE, again) == (again, BEN, CLEO)
    assert joined((BEN, CLEO), ANNA) == (BEN, CLEO, ANNA)
    assert [ahead_of(holder, QUEUE) for holder in ("anna", "ben", "cleo", "dan")] == [0, 1, 2, 3]


def test_after_its_turn_a_client_and_those_who_were_passed_over_have_no_place() -> None:
    assert behind(QUEUE, "anna") == (BEN, CLEO)
    assert behind(QUEUE, "ben") == (CLEO,)
    assert behind(QUEUE, "dan") == ()
    assert without(QUEUE, "ben") == (ANNA, CLEO)


@pytest.mark.parametrize(
    ("ahead", "free_for", "may"),
    [
        (0, 0.0, True),
        (1, 0.0, False),
        (1, PATIENCE - 0.01, False),
        (1, PATIENCE, False),
        (1, PATIENCE + STEP, True),
        (10, PATIENCE + 9 * STEP, False),
        (10, PATIENCE + 10 * STEP, True),
        (7, None, True),  # since when it has been free is not known: an older version released it
    ],
)
def test_a_free_lease_is_kept_for_each_waiter_in_turn_for_a_while(
    ahead: int, free_for: float | None, may: bool
) -> None:
    assert may_take(ahead, free_for) == may
    if free_for is not None:
        assert (turn_in(ahead, free_for) <= 0) == may


def test_the_turn_of_who_waits_for_a_live_lease_comes_when_it_has_gone_stale() -> None:
    assert turn_in(ahead=0, free_for=-9.0) == 9.0
    assert turn_in(ahead=2, free_for=-9.0) == 9.0 + PATIENCE + 2 * STEP


def test_a_notification_names_the_first_who_wait_and_is_read_under_any_encoding() -> None:
    """Older versions read nothing but ASCII under another ``client_encoding``."""
    waiting = tuple(Waiter(f"waiter {number}", "", 0.0) for number in range(TOLD + 3))
    said = format_release('"a" or a caf\u00e9', waiting)
    assert said.isascii()
    assert parse_release(said) == ('"a" or a caf\u00e9', [one.holder for one in waiting[:TOLD]])


@pytest.mark.parametrize(("free_for", "is_live"), [(-0.1, True), (0.0, False), (0.1, False), (None, False)])
def test_a_lease_is_held_until_the_moment_at_which_it_goes_stale(free_for: float | None, is_live: bool) -> None:
    assert Queue("a", "anna", (), 0.0, free_for).is_live is is_live


STANDING = ManualClock()
FIRST, SECOND = (GrantState(Grant(name, 1, "anna"), STANDING() + 8.0, STANDING, lambda _: None) for name in "ab")
BOTH = {FIRST.grant, SECOND.grant}


def again(risks: Risks, states: list[GrantState], now: float) -> bool:
    risk = risks.seen(states, "away", now)
    assert isinstance(risk, events.AtRisk)
    return risk.again


def test_an_event_says_what_is_at_risk_and_how_much_trust_is_left() -> None:
    assert Risks(BOTH.__contains__).seen([FIRST, SECOND], "away", 5.0) == events.AtRisk(
        (FIRST.grant, SECOND.grant), "away", 8.0, again=False
    )
    assert Risks(BOTH.__contains__).seen([], "away", 5.0) is None


def test_a_risk_is_news_at_first_and_then_every_ten_seconds() -> None:
    risks = Risks(BOTH.__contains__)
    assert [again(risks, [FIRST], now) for now in (5.0, 5.5, 4.9 + QUIET, 5.0 + QUIET, 5.5 + QUIET)] == [
        False,
        True,
        True,
        False,
        True,
    ]


def test_a_further_grant_at_risk_is_news_and_one_less_is_not() -> None:
    risks = Risks(BOTH.__contains__)
    assert [again(risks, states, 5.0) for states in ([FIRST], [FIRST, SECOND], [SECOND], [FIRST])] == [
        False,
        False,
        True,
        True,
    ]


def test_a_risk_after_a_renewal_of_all_is_news() -> None:
    risks = Risks(BOTH.__contains__)
    assert not again(risks, [FIRST], 5.0)
    assert risks.seen([], "", 6.0) == events.OutOfRisk((FIRST.grant,), 1.0)
    assert risks.seen([], "", 6.5) is None
    assert not again(risks, [FIRST], 7.0)


def test_the_end_of_a_risk_is_news_once_with_what_is_still_held_and_how_long_it_took() -> None:
    held = {FIRST.grant, SECOND.grant}
    risks = Risks(held.__contains__)
    for now, states in ((5.0, [SECOND]), (5.5, [FIRST, SECOND]), (7.0, [FIRST])):
        again(risks, states, now)
    assert risks.seen([], "", 8.0) == events.OutOfRisk((FIRST.grant, SECOND.grant), 3.0)
    again(risks, [FIRST, SECOND], 9.0)
    held.remove(FIRST.grant)
    assert risks.seen([], "", 9.5) == events.OutOfRisk((SECOND.grant,), 0.5)
    again(risks, [SECOND], 10.0)
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
