"""The small pure parts: verdicts, names, events."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lease import Break, Grant, InvalidName, LeaseRecord, Loss, LossKind, events
from lease.heartbeat.evidence import judge, strangers
from lease.heartbeat.heartbeat import ANY_NAME, Flight, explanations
from lease.model import DAEMON, Renewal, check_name, is_turn_of

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
