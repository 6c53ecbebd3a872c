"""The checks of what trouble costs others."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from .trouble import BLOCKER, KILLER, Ended, made, paid_for_others

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
OVER = BEGAN + timedelta(seconds=5)


def an_attempt(run: int, job: str, holder: str, state: str, error: str | None = None) -> Ended:
    return Ended(run, job, holder, state, BEGAN, OVER, error)


def died(run: int, *holders: str) -> list[Ended]:
    """Return the attempts of a run, each abandoned with its replica."""
    return [an_attempt(run, "long", holder, "abandoned") for holder in holders]


DONE = an_attempt(1, "long", "x", "succeeded")


def test_a_killer_that_fails_alone_is_right() -> None:
    killer = [an_attempt(2, KILLER, holder, "abandoned") for holder in ("one", "two", "three")]
    assert paid_for_others([*died(1, "one", "two"), DONE, *killer, *died(3, "three")]) == []
    assert made(killer, KILLER) == 3
    assert made(killer, BLOCKER) == 0


def test_two_that_lose_their_last_chance_by_one_death_are_named() -> None:
    told = [*died(1, "one", "two", "three"), *died(2, "one", "two", "three")]
    assert paid_for_others(told) == ["runs 1, 2 lost their last chance by one death of three"]


def test_one_that_was_over_when_the_other_began_did_not_end_by_its_death() -> None:
    """The replica was only cut off then, and has claimed the other since."""
    first, last = died(1, "one", "two", "three"), died(2, "one", "two", "three")
    last[-1] = replace(last[-1], began=OVER, over=OVER + timedelta(seconds=1))
    assert paid_for_others([*first, *last]) == []
    last[-1] = replace(last[-1], began=OVER - timedelta(seconds=0.01))
    assert paid_for_others([*first, *last]) == ["runs 1, 2 lost their last chance by one death of three"]


def test_whoever_succeeded_in_between_has_three_chances_again() -> None:
    told = [*died(1, "one", "two"), DONE, *died(1, "three"), *died(2, "one", "two", "three")]
    assert paid_for_others(told) == []


@pytest.mark.parametrize("job", [KILLER, BLOCKER])
def test_trouble_that_succeeds_is_named(job: str) -> None:
    assert paid_for_others([an_attempt(2, job, "one", "succeeded")]) == [f"an attempt of {job} succeeded in run 2"]


def test_a_shortage_that_fails_an_attempt_is_named() -> None:
    short = an_attempt(1, "long", "one", "failed", "this process has run out of file descriptors")
    assert paid_for_others([short]) == [
        "a shortage used up an attempt of long of run 1: this process has run out of file descriptors"
    ]
