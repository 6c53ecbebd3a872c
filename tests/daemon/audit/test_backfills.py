"""Instants that a backfill runs after all, in the history: each is accounted for once, and skipped no more."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete

from daemon.definitions.triggers.trigger import Every
from daemon.operations.backfill import backfill
from daemon.operations.backfill_plan import Wanted
from daemon.store.tables import run
from tests.checker import Bounds, check
from tests.checker.facts import BackfillRecorded, Due, Fact, Recorded, RunClaimed, RunLeft, RunSettled
from tests.daemon.audit.histories import a_grant, a_run, at
from tests.support.store import Store, a_schedule

from .story import age, audit, claim, fail, plan, work, write

HOURLY = a_schedule("nightly", Every(3600.0))
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


# What a backfill was to run


def of_two(**changed: Any) -> list[Fact]:
    """A backfill of two instants: one that was skipped, and one that had failed and is tried again."""
    failed, skipped = a_run(1, 0, state="failed"), replace(a_run(2, 5), backfill=3)
    again = replace(a_run(3, 0), manual=True, retry_of=1, backfill=3)
    return [replace(BackfillRecorded(3, "nightly", at(0), at(9), 1, 2), **changed), failed, skipped, again]


def test_a_backfill_that_has_lost_an_instant_or_runs_one_more_is_named() -> None:
    assert said(of_two()) == []
    should = 'backfills: backfill 3 of "nightly" should run'
    assert said(of_two(instants=3)) == [f"{should} 3 scheduled times, but has 2 runs"]
    assert said(of_two(instants=1)) == [f"{should} 1 scheduled time, but has 2 runs"]


def test_a_backfill_with_two_runs_of_an_instant_is_named() -> None:
    once_more = replace(a_run(4, 5), manual=True, retry_of=2, backfill=3)
    assert 'backfills: backfill 3 of "nightly" has runs 2 and 4, both due at 2026-07-01 12:00:05+00:00' in said(
        [*of_two(instants=3), once_more]
    )


def test_a_backfill_with_a_run_outside_of_its_time_or_of_another_schedule_is_named() -> None:
    assert said(of_two(last=at(4))) == [
        'backfills: backfill 3 of "nightly" has run 2 of "nightly", due at 2026-07-01 12:00:05+00:00'
    ]
    assert len(said(of_two(schedule="weekly"))) == 2


def test_an_instant_that_had_succeeded_and_is_run_by_a_backfill_is_named() -> None:
    backfill, failed, *rest = of_two()
    assert isinstance(failed, Recorded)
    (found,) = said([backfill, replace(failed, state="succeeded"), *rest])
    assert found == (
        'backfills: run 3 of "nightly", due at 2026-07-01 12:00:00+00:00, is one of backfill 3, although run 1 of that '
        "time had succeeded"
    )


def test_more_runs_at_a_time_than_a_backfill_may_have_are_named() -> None:
    def moves(last_of_first: float) -> list[Fact]:
        first, second = a_grant(1, name="a"), a_grant(1, name="b")
        return [
            RunClaimed(2, first, at(10)),
            RunLeft(2, first, at(last_of_first), "succeeded"),
            RunClaimed(3, second, at(12)),
            RunLeft(3, second, at(14), "succeeded"),
        ]

    assert said([*of_two(), *moves(12)]) == []
    assert said([*of_two(at_most=2), *moves(13)]) == []
    settled = RunSettled(2, a_grant(1, name="a"), at(11), over=True)
    lost = [fact for fact in moves(12) if not (isinstance(fact, RunLeft) and fact.run == 2)]
    assert said([*of_two(), *lost, settled]) == [], "it had failed before the other one was claimed"
    (found,) = said([*of_two(), *moves(13)])
    assert found.startswith('backfills: backfill 3 of "nightly" runs at most 1 at a time, but 2 were running at ')


# In the tables


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Two backfills by two callers: of two instants that were skipped, and of one that failed under the first."""
    with Store(database_url) as opened:
        opened.sync(HOURLY)
        age(opened, HOURLY, 3.5 * 3600)
        plan(opened, [HOURLY])
        work(opened, claim(opened, "nightly"), "work")
        first, second, last = (row.scheduled_for for row in opened.runs())
        for until in (last, last):
            opened.do(backfill, Wanted("shop", "nightly", first, until), requested_by="ann@web")
        plan(opened, [HOURLY])
        fail(opened, claim(opened, "nightly"), "work")
        opened.do(backfill, Wanted("shop", "nightly", first, second), requested_by="bob@web")
        yield opened


@pytest.mark.conformance
def test_what_backfills_made_keeps_every_promise(store: Store) -> None:
    assert [row.backfill for row in store.runs()] == [1, 1, None, 2]
    assert [str(violation) for violation in audit(store.url)] == []


@pytest.mark.conformance
def test_a_run_of_a_backfill_that_is_gone_is_named(store: Store) -> None:
    store.do(lambda connection: connection.execute(delete(run).where(run.c.backfill == 2)))
    gone = 'backfills: backfill 2 of "shop/nightly" should run 1 scheduled time, but has 0 runs'
    assert gone in map(str, audit(store.url))


@pytest.mark.conformance
def test_an_instant_that_two_backfills_were_told_they_run_and_a_run_after_a_success_are_named(store: Store) -> None:
    write(store, run, run.c.backfill == 1, run.c.state == "pending", backfill=2)
    write(store, run, run.c.state == "failed", state="succeeded")
    found = [str(violation) for violation in audit(store.url)]
    assert 'backfills: backfill 1 of "shop/nightly" should run 2 scheduled times, but has 1 run' in found
    assert 'backfills: backfill 2 of "shop/nightly" should run 1 scheduled time, but has 2 runs' in found
    assert any("of that time had succeeded" in one for one in found)
