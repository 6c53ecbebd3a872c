"""Tokens increase, grants do not overlap, and what has ended stays so."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.checker import Bounds, Promise, check
from tests.checker.facts import Deleted, Fact, GrantBegan, HighestToken, LeaseDeleted

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
OTHER: list[Fact] = [GrantBegan(a_grant(1, name="other"), at(13), at(28)), HighestToken("other", 1)]
RIGHT: dict[str, list[Fact]] = {
    "one after another": GOOD,
    "told in any order": GOOD[::-1],
    "another name has tokens of its own": [*GOOD, *OTHER, HighestToken("third", 0)],
    "a lower token within a step of the clock proves nothing": [
        granted(4, 0),
        ended(4, 0.5),
        granted(3, -1, until=-0.5),
    ],
    "at the very moment of the release": [granted(1, 0), ended(1, 9), granted(2, 9)],
    "of a lapsed lease": [granted(1, 0), granted(2, 15), ended(1, 20)],
    "no end is known": [GrantBegan(a_grant(1), NOON), GrantBegan(a_grant(2), at(1))],
    "renewed before the end": [granted(1, 0), renewed(1, 14), ended(1, 14)],
    "renewed when it had lapsed and nobody had taken it": [granted(1, 0), renewed(1, 40), ended(1, 41)],
    "the end that is told first is the end": [granted(1, 0), ended(1, 5), ended(1, 9), granted(2, 6)],
}


@pytest.mark.parametrize("history", RIGHT.values(), ids=RIGHT)
def test_grants_that_follow_one_another_are_right(history: Sequence[Fact]) -> None:
    assert broken(history) == []


THIEF = GrantBegan(a_grant(3, "thief"), at(6))
NAMED: dict[str, list[Fact]] = {
    "tokens: lease 'nightly' was granted under token 3 at 2026-07-01 12:00:06+00:00, after token 3": [
        *(granted(3, 0), ended(3, 5), THIEF)
    ],
    "tokens: lease 'nightly' was granted under token 4 at 2026-07-01 12:00:06+00:00, after token 5": [
        *(granted(5, 0), ended(5, 5), granted(4, 6))
    ],
    "tokens: the row of lease 'nightly' was deleted at 2026-07-01 12:00:40+00:00": [
        *GOOD,
        LeaseDeleted("nightly", at(40)),
    ],
    "tokens: the row of lease 'nightly' is missing": [*GOOD, Deleted("nightly")],
    "tokens: lease 'nightly' is at token 2 but was granted under token 3: it was set back": [
        *(*GOOD[:-1], HighestToken("nightly", 2))
    ],
    "overlap: lease 'nightly' was granted under token 2 at 2026-07-01 12:00:20+00:00, "
    "while token 1 was in force until 2026-07-01 12:00:25+00:00": [granted(1, 0), renewed(1, 10), granted(2, 20)],
    "overlap: token 1 of lease 'nightly' was renewed at 2026-07-01 12:00:06+00:00, "
    "after it had ended at 2026-07-01 12:00:05+00:00": [granted(1, 0), ended(1, 5), renewed(1, 6)],
}


@pytest.mark.parametrize("sentence", NAMED)
def test_what_breaks_a_promise_is_named(sentence: str) -> None:
    assert said(NAMED[sentence]) == sentence


def test_a_token_that_its_own_holder_gets_again_is_named() -> None:
    assert Promise.TOKENS in broken([granted(3, 0), ended(3, 5), granted(3, 6)])


def test_a_token_below_one_long_before_is_named_although_the_latest_was_lower_still() -> None:
    history: list[Fact] = [granted(5, 0), ended(5, 5), granted(3, 6), ended(3, 7), granted(4, 8)]
    assert broken(history) == [Promise.TOKENS, Promise.TOKENS]


def test_a_renewal_after_the_next_grant_is_named() -> None:
    history: list[Fact] = [granted(1, 0), granted(2, 15), renewed(1, 16)]
    assert Promise.OVERLAP in broken(history)
    assert any("token 1 of lease 'nightly' was renewed" in str(violation) for violation in check(history))


def test_readings_of_the_clock_as_near_as_the_tolerance_are_the_same() -> None:
    history: list[Fact] = [granted(1, 0), ended(1, 9.001), granted(2, 9)]
    assert broken(history) == [Promise.OVERLAP]
    assert broken(history, Bounds(tolerance=timedelta(milliseconds=2))) == []
    assert broken(history, Bounds(tolerance=timedelta(milliseconds=0.75))) == [Promise.OVERLAP]
    assert broken([granted(4, 0), granted(3, 1, until=1)], Bounds(tolerance=timedelta(seconds=20))) == []
    again: list[Fact] = [granted(3, 0, until=0), GrantBegan(a_grant(3, "thief"), at(0))]
    assert broken(again, Bounds(tolerance=timedelta(seconds=2))) == [Promise.TOKENS], "at the same moment all the same"
