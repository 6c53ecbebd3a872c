"""Instants that a backfill runs after all, in the history: each is accounted for once, and skipped no more."""

from dataclasses import replace

from daemon.audit.checker import Bounds, check
from daemon.audit.facts import Due, Fact
from tests.daemon.audit.histories import a_run, at

RUN = replace(a_run(1, 0), backfill=3)


def said(facts: list[Fact], *, complete: bool = False) -> list[str]:
    return [str(violation) for violation in check(facts, Bounds(complete=complete))]


def test_an_instant_that_a_backfill_runs_is_right_also_where_it_was_not_due_then() -> None:
    assert said([Due(RUN.schedule, RUN.first), RUN], complete=True) == []
    assert said([RUN], complete=True) == []
    assert len(said([replace(RUN, backfill=None)], complete=True)) == 1


def test_a_run_of_a_backfill_that_is_skipped_again_is_named() -> None:
    (violation,) = said([replace(RUN, state="skipped")])
    assert violation.endswith("was to run in backfill 3, and is skipped")


def test_an_instant_that_is_in_a_counted_row_and_has_a_run_as_well_is_named() -> None:
    counted = replace(a_run(2, 0), last=at(9), count=3, state="skipped")
    assert any("both account for" in each for each in said([counted, RUN]))
