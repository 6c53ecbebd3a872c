"""Tokens increase, grants do not overlap, and what has ended stays so."""

from datetime import timedelta

from tests.checker import Bounds, Promise, check
from tests.checker.facts import Deleted, Fact, GrantBegan, GrantEnded, HighestToken, LeaseDeleted

from .histories import NOON, a_grant, at, broken, ended, granted, renewed, said

GOOD: list[Fact] = [
    granted(1, 0),
    renewed(1, 5),
    renewed(1, 10),
    ended(1, 12),
    granted(2, 12),
    granted(3, 27),  # the second was never renewed, and went stale
    renewed(3, 30),
    HighestToken("nightly", 3),
]


def test_grants_that_follow_one_another_are_right() -> None:
    assert broken(GOOD) == []


def test_the_order_in_which_facts_are_told_makes_no_difference() -> None:
    assert broken(reversed(GOOD)) == []


def test_leases_of_other_names_have_tokens_of_their_own() -> None:
    other = GrantBegan(a_grant(1, name="other"), at(13), at(28))
    assert broken([*GOOD, other, HighestToken("other", 1), HighestToken("third", 0)]) == []


# Tokens


def test_a_token_that_another_holder_gets_again_is_named() -> None:
    history: list[Fact] = [granted(3, 0), ended(3, 5), GrantBegan(a_grant(3, "thief"), at(6))]
    assert said(history) == (
        "tokens: lease 'nightly' was granted under token 3 at 2026-07-01 12:00:06+00:00, after token 3"
    )


def test_a_token_that_its_own_holder_gets_again_is_named() -> None:
    assert Promise.TOKENS in broken([granted(3, 0), ended(3, 5), granted(3, 6)])


def test_a_token_that_is_given_again_at_the_same_moment_is_named() -> None:
    history: list[Fact] = [granted(3, 0, until=0), GrantBegan(a_grant(3, "thief"), at(0))]
    assert broken(history, Bounds(tolerance=timedelta(seconds=2))) == [Promise.TOKENS]


def test_a_token_that_goes_down_is_named() -> None:
    history: list[Fact] = [granted(5, 0), ended(5, 5), granted(4, 6)]
    assert "under token 4 at 2026-07-01 12:00:06+00:00, after token 5" in said(history)


def test_a_token_below_one_long_before_is_named_although_the_latest_was_lower_still() -> None:
    history: list[Fact] = [granted(5, 0), ended(5, 5), granted(3, 6), ended(3, 7), granted(4, 8)]
    assert broken(history) == [Promise.TOKENS, Promise.TOKENS]


def test_a_lower_token_within_a_step_of_the_clock_proves_nothing() -> None:
    history: list[Fact] = [granted(4, 0), ended(4, 0.5), granted(3, -1, until=-0.5)]
    assert broken([granted(4, 0), granted(3, 1, until=1)], Bounds(tolerance=timedelta(seconds=20))) == []
    assert broken(history) == []


def test_a_deleted_row_is_named() -> None:
    assert said([*GOOD, LeaseDeleted("nightly", at(40))]) == (
        "tokens: the row of lease 'nightly' was deleted at 2026-07-01 12:00:40+00:00"
    )
    assert said([*GOOD, Deleted("nightly")]) == "tokens: the row of lease 'nightly' is missing"


def test_a_row_that_was_set_back_is_named() -> None:
    assert "is at token 2 but was granted under token 3: it was set back" in said(
        [*GOOD[:-1], HighestToken("nightly", 2)]
    )


# Overlap


def test_a_grant_while_another_is_in_force_is_named() -> None:
    history: list[Fact] = [granted(1, 0), renewed(1, 10), granted(2, 20)]
    assert said(history) == (
        "overlap: lease 'nightly' was granted under token 2 at 2026-07-01 12:00:20+00:00, "
        "while token 1 was in force until 2026-07-01 12:00:25+00:00"
    )


def test_a_grant_before_the_release_that_was_to_precede_it_is_named() -> None:
    assert broken([granted(1, 0), ended(1, 9), granted(2, 8)]) == [Promise.OVERLAP]


def test_a_grant_at_the_very_moment_of_the_release_is_right() -> None:
    assert broken([granted(1, 0), ended(1, 9), granted(2, 9)]) == []


def test_a_grant_of_a_lapsed_lease_is_right() -> None:
    assert broken([granted(1, 0), granted(2, 15), ended(1, 20)]) == []


def test_readings_of_the_clock_as_near_as_the_tolerance_are_the_same() -> None:
    history: list[Fact] = [granted(1, 0), ended(1, 9.001), granted(2, 9)]
    assert broken(history) == [Promise.OVERLAP]
    assert broken(history, Bounds(tolerance=timedelta(milliseconds=2))) == []
    assert broken(history, Bounds(tolerance=timedelta(milliseconds=0.75))) == [Promise.OVERLAP]


def test_a_grant_of_which_no_end_is_known_overlaps_with_nothing() -> None:
    assert broken([GrantBegan(a_grant(1), NOON), GrantBegan(a_grant(2), at(1))]) == []


# What has ended stays so


def test_a_renewal_after_the_end_is_named() -> None:
    assert said([granted(1, 0), ended(1, 5), renewed(1, 6)]) == (
        "overlap: token 1 of lease 'nightly' was renewed at 2026-07-01 12:00:06+00:00, "
        "after it had ended at 2026-07-01 12:00:05+00:00"
    )


def test_a_renewal_after_the_next_grant_is_named() -> None:
    history: list[Fact] = [granted(1, 0), granted(2, 15), renewed(1, 16)]
    assert Promise.OVERLAP in broken(history)
    assert any("token 1 of lease 'nightly' was renewed" in str(violation) for violation in check(history))


def test_a_renewal_before_the_end_is_right_and_so_is_one_of_a_lapsed_lease_that_nobody_took() -> None:
    assert broken([granted(1, 0), renewed(1, 14), ended(1, 14)]) == []
    assert broken([granted(1, 0), renewed(1, 40), ended(1, 41)]) == []


def test_the_end_that_is_told_first_is_the_end() -> None:
    assert broken([granted(1, 0), GrantEnded(a_grant(1), at(5)), ended(1, 9), granted(2, 6)]) == []
