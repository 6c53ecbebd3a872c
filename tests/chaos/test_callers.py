"""What two callers of a backfill were told is compared with what came of it."""

import json

import pytest

from tests.chaos.callers import told_wrongly
from tests.chaos.fleet import Told, ToldAtOnce
from tests.chaos.report import problems
from tests.chaos.test_report import at, good
from tests.checker.facts import BackfillRecorded

RECORDED = BackfillRecorded(3, "steps", at(0), at(9), 1, 4)


def caller(backfill_id: int | None, will_run: int) -> Told:
    return Told(0, json.dumps({"backfill_id": backfill_id, "will_run": will_run}))


ASKED, AGAIN = caller(3, 4), caller(None, 0)


def said(*callers: Told) -> list[str]:
    return list(told_wrongly([ToldAtOnce("asked", callers)], [RECORDED]))


def test_one_caller_has_it_run_and_the_other_is_told_that_nothing_is_left() -> None:
    assert said(ASKED, AGAIN) == []
    assert said(AGAIN, ASKED) == []


def test_a_caller_that_cannot_reach_the_database_is_told_so() -> None:
    assert said(Told(1, "leased: the database cannot be used: no answer"), ASKED) == []


@pytest.mark.parametrize(
    ("callers", "problem"),
    [
        ((ASKED, ASKED), "asked: both callers were told of backfill 3"),
        ((ASKED, caller(7, 1)), "asked: a caller was told of backfill 7, which is not there"),
        ((caller(3, 5), AGAIN), "asked: a caller was told that 5 instants run in backfill 3, which has 4"),
        ((ASKED, caller(None, 2)), "asked: 2 instants will run, a caller was told, by no backfill"),
        ((ASKED, Told(1, "leased: no")), "asked: a caller was told: leased: no"),
        ((ASKED, Told(0, "done")), "asked: a caller was told: done"),
    ],
)
def test_each_wrong_answer_is_named(callers: tuple[Told, ...], problem: str) -> None:
    assert said(*callers) == [problem]


def test_a_wrong_answer_is_a_problem_of_the_campaign() -> None:
    asked = ToldAtOnce("asked", (ASKED, ASKED))
    assert problems(good(at_once=[asked], facts=[*good().facts, RECORDED])) == [
        "asked: both callers were told of backfill 3"
    ]
