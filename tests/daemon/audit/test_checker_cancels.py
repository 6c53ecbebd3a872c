"""A run that was marked as cancelled never goes on (rule 23)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from daemon.states import RunState
from tests.checker import Bounds, Promise
from tests.checker.facts import Fact, RunClaimed, RunMarked, Written

from .histories import a_grant, at, broken, granted, said

MARKED = RunMarked(7, "nightly", at(10), "cancelled", ended=at(12), last_start=at(5))


@pytest.mark.parametrize(
    "right",
    [
        MARKED,
        replace(MARKED, last_start=None),
        replace(MARKED, last_start=at(12)),
        replace(MARKED, state="running", ended=None),
    ],
)
def test_a_marked_run_that_ended_as_cancelled_or_has_not_ended_yet_is_right(right: RunMarked) -> None:
    assert broken([right]) == []


@pytest.mark.parametrize("state", ["succeeded", "failed", "skipped", "pending"])
def test_a_marked_run_that_ended_otherwise_or_waits_is_named(state: RunState) -> None:
    assert said([replace(MARKED, state=state)]) == (
        f'cancels: run 7 of "nightly" was marked as cancelled at 2026-07-01 12:00:10+00:00, and is {state}'
    )


def test_an_attempt_after_the_end_of_a_cancelled_run_is_named() -> None:
    late = replace(MARKED, last_start=at(14))
    assert said([late]) == (
        'cancels: run 7 of "nightly" ended as cancelled at 2026-07-01 12:00:12+00:00, '
        "and an attempt started at 2026-07-01 12:00:14+00:00"
    )
    assert broken([late], Bounds(tolerance=timedelta(seconds=2))) == []
    assert broken([late], Bounds(tolerance=timedelta(seconds=1.5))) == [Promise.CANCELS]


def test_a_marked_run_that_ended_otherwise_and_started_later_is_named_once() -> None:
    assert broken([replace(MARKED, state="failed", last_start=at(14))]) == [Promise.CANCELS]


def test_a_run_that_starts_before_the_one_that_it_replaced_has_ended_is_named() -> None:
    replaced = replace(MARKED, replaced_by=9, newer_start=at(12))
    assert broken([replaced]) == []
    assert broken([replace(replaced, newer_start=None, ended=None, state="running")]) == []
    early = replace(replaced, newer_start=at(11))
    assert said([early]) == (
        'cancels: run 7 of "nightly" ended at 2026-07-01 12:00:12+00:00, '
        "and run 9, which replaced it, started at 2026-07-01 12:00:11+00:00"
    )
    assert broken([early], Bounds(tolerance=timedelta(seconds=1))) == []
    beside = replace(replaced, state="running", ended=None)
    assert said([beside]) == (
        'cancels: run 7 of "nightly" is not over, and run 9, which replaced it, started at 2026-07-01 12:00:12+00:00'
    )


def test_a_claim_and_an_effect_after_the_end_of_a_cancelled_run_are_named() -> None:
    grant = a_grant(2)
    before: list[Fact] = [granted(2, 11), RunClaimed(7, grant, at(11)), Written(grant, at(11.5), 7, "work")]
    assert broken([MARKED, *before]) == []
    after: list[Fact] = [RunClaimed(7, grant, at(13)), Written(grant, at(14), 7, "work")]
    assert broken([MARKED, granted(2, 11), *after]) == [Promise.CANCELS, Promise.CANCELS]
    assert broken([MARKED, granted(2, 11), RunClaimed(8, grant, at(13)), Written(grant, at(14))]) == []
