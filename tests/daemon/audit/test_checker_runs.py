"""Each due instant has one run, each run comes to its end, and what it has recorded is there once."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.states import RunState
from daemon.text import counted
from tests.checker import Bounds, Promise, check
from tests.checker.facts import Due, Fact, Recorded, ScheduleProgress, Written

from .histories import a_grant, a_run, at, broken, due, granted, said

# Instants


def test_an_instant_without_a_run_is_named() -> None:
    assert said([*due(0, 60, 120), a_run(1, 0), a_run(2, 120)]) == (
        'instants: no run accounts for "nightly" at 2026-07-01 12:01:00+00:00: that scheduled time is lost'
    )


def test_a_run_of_another_schedule_accounts_for_nothing() -> None:
    assert broken([*due(0), replace(a_run(1, 0), schedule="hourly")]) == [Promise.INSTANTS]


def test_a_manual_run_accounts_for_no_instant_and_doubles_none() -> None:
    assert broken([*due(0), replace(a_run(1, 0), manual=True)]) == [Promise.INSTANTS]
    assert broken([*due(0), a_run(1, 0), replace(a_run(2, 0), manual=True)]) == []


def test_an_instant_with_two_runs_is_named() -> None:
    assert said([*due(0, 60), a_run(1, 0), a_run(2, 0), a_run(3, 60)]) == (
        'instants: runs 1 and 2 of "nightly" both account for 2026-07-01 12:00:00+00:00'
    )


def test_an_instant_with_two_runs_is_named_where_nothing_is_known_of_what_was_due() -> None:
    assert broken([a_run(1, 0), a_run(2, 0)]) == [Promise.INSTANTS]


@pytest.mark.parametrize("count", [1, 3])
def test_a_counted_row_that_has_a_wrong_count_is_named(count: int) -> None:
    history: list[Fact] = [*due(0, 60, 120, 180), a_run(1, 0), a_run(2, 60, 120, count, "skipped"), a_run(3, 180)]
    assert said(history) == (
        f'instants: run 2 of "nightly" stands for {counted(count, "scheduled time")} from 2026-07-01 12:01:00+00:00 to '
        "2026-07-01 12:02:00+00:00, but 2 were due"
    )


def test_a_counted_row_where_nothing_was_due_is_named() -> None:
    assert broken([*due(0, 180), a_run(1, 0), a_run(2, 61, 119, 2, "skipped"), a_run(3, 180)]) == [Promise.INSTANTS]


def test_a_counted_row_that_began_before_what_is_known_may_count_more() -> None:
    assert broken([*due(60, 120), a_run(1, -600, 60, 12, "skipped"), a_run(2, 120)]) == []


@pytest.mark.parametrize("doubled", [60, 120])
def test_an_own_row_within_a_counted_one_is_named(doubled: float) -> None:
    history: list[Fact] = [*due(0, 60, 120), a_run(1, 0, 120, 3, "skipped"), a_run(2, doubled)]
    assert said(history).startswith('instants: runs 1 and 2 of "nightly" both account for ')


def test_each_own_row_within_a_counted_one_is_named() -> None:
    history: list[Fact] = [*due(0, 60, 120), a_run(1, 0, 120, 3, "skipped"), a_run(2, 60), a_run(3, 120)]
    assert broken(history) == [Promise.INSTANTS, Promise.INSTANTS]


def test_counted_rows_that_overlap_are_named() -> None:
    history: list[Fact] = [*due(0, 60, 120, 180), a_run(1, 0, 120, 3, "skipped"), a_run(2, 120, 180, 2, "skipped")]
    assert broken(history) == [Promise.INSTANTS]


def test_an_instant_about_the_time_of_a_change_may_have_a_run_and_need_not() -> None:
    perhaps = Due("nightly", at(60), certain=False)
    complete = Bounds(complete=True)
    assert broken([*due(0, 120), perhaps, a_run(1, 0), a_run(2, 120)], complete) == []
    assert broken([*due(0, 120), perhaps, a_run(1, 0), a_run(2, 60), a_run(3, 120)], complete) == []
    assert broken([*due(0, 120), perhaps, a_run(1, 0), a_run(2, 60), a_run(3, 60), a_run(4, 120)], complete) == [
        Promise.INSTANTS
    ]
    for count, promises in ((1, [Promise.INSTANTS]), (2, []), (3, []), (4, [Promise.INSTANTS])):
        counted = a_run(1, 0, 120, count, "skipped")
        assert broken([*due(0, 120), perhaps, counted], complete) == promises


def test_an_instant_that_was_due_for_certain_by_one_definition_needs_its_run() -> None:
    perhaps = Due("nightly", at(60), certain=False)
    for both in ([perhaps, *due(60)], [*due(60), perhaps]):
        assert broken([*due(0), *both, a_run(1, 0)]) == [Promise.INSTANTS]


def test_a_schedule_that_is_planned_next_at_its_next_instant_is_right() -> None:
    assert (
        broken([ScheduleProgress("nightly", at(0), at(60), at(60)), ScheduleProgress("over", at(0), None, None)]) == []
    )


@pytest.mark.parametrize("next_due", [None, 120])
def test_a_schedule_that_was_moved_past_an_instant_is_named(next_due: float | None) -> None:
    moved = ScheduleProgress("nightly", at(0), None if next_due is None else at(next_due), at(60))
    shown = "never" if next_due is None else "2026-07-01 12:02:00+00:00"
    assert said([moved]) == (
        f'instants: "nightly" is planned until 2026-07-01 12:00:00+00:00; its next scheduled time is recorded as {shown} '
        "but should be 2026-07-01 12:01:00+00:00"
    )


# The end of each run


@pytest.mark.parametrize("state", ["pending", "running"])
def test_a_run_that_is_not_over_is_named_once_all_should_be(state: RunState) -> None:
    history: list[Fact] = [*due(0), a_run(1, 0, state=state)]
    assert broken(history) == []
    assert said(history, Bounds(finished=True)) == (
        f'final: run 1 of "nightly", due at 2026-07-01 12:00:00+00:00, is not over: {state}'
    )


def test_runs_that_are_over_are_final() -> None:
    assert broken([*due(0, 60), a_run(1, 0), a_run(2, 60, state="failed")], Bounds(finished=True)) == []


def test_a_job_left_running_by_its_run_is_named() -> None:
    assert said([replace(a_run(1, 0), left_running=("zones",))]) == (
        'final: an attempt of job "zones" of run 1 of "nightly" is recorded as running, '
        "but the run is not running under its grant: succeeded"
    )


# Effects


def done(run: Recorded, jobs: tuple[str, ...] | None = None, **succeeded: int) -> Recorded:
    return replace(run, jobs=jobs, succeeded=succeeded)


def test_a_run_whose_jobs_have_succeeded_once_each_is_right() -> None:
    assert broken([done(a_run(1, 0), ("zones", "orders"), zones=1, orders=1)]) == []


def test_a_job_that_succeeded_twice_is_named_whatever_became_of_the_run() -> None:
    said_ = 'effects: job "zones" of run 1 of "nightly" has succeeded 2 times'
    assert said([done(a_run(1, 0), zones=2)]) == said_
    assert said([done(a_run(1, 0, state="running"), zones=2)]) == said_


def test_a_run_that_succeeded_without_its_job_is_named() -> None:
    assert said([done(a_run(1, 0), ("zones", "orders"), zones=1)]) == (
        'effects: run 1 of "nightly" has succeeded, but its job "orders" has not'
    )


def test_a_run_that_succeeded_without_a_job_that_it_had_begun_is_named_once_also_where_its_jobs_are_not_known() -> None:
    """Rule 22: nothing that failed ever disappears."""
    named = 'effects: run 1 of "nightly" has succeeded, but its job "orders" has not'
    begun = replace(a_run(1, 0), attempted=("zones", "orders"))
    assert said([done(begun, zones=1)]) == named
    assert said([done(begun, ("zones", "orders"), zones=1)]) == named
    assert broken([done(begun, zones=1, orders=1)]) == []
    assert broken([replace(a_run(1, 0, state="failed"), attempted=("orders",))]) == []


def test_a_run_that_failed_or_whose_jobs_are_not_known_need_not_have_done_them() -> None:
    assert broken([done(a_run(1, 0, state="failed"), ("zones",)), done(a_run(2, 60))]) == []


WRITTEN = Bounds(effects_written=True)


def effects(*jobs: str) -> list[Fact]:
    return [granted(1, 0), *(Written(a_grant(1), at(1), 1, job) for job in jobs)]


def test_an_effect_for_each_job_that_succeeded_is_right() -> None:
    assert broken([*effects("zones", "orders"), done(a_run(1, 0), zones=1, orders=1)], WRITTEN) == []


def test_an_effect_that_is_there_twice_is_named() -> None:
    history: list[Fact] = [*effects("zones", "zones"), done(a_run(1, 0), zones=1)]
    assert said(history, WRITTEN) == 'effects: the effect of job "zones" of run 1 was written 2 times'
    assert broken(history) == []


def test_an_effect_that_is_missing_is_named() -> None:
    history: list[Fact] = [*effects("orders"), done(a_run(1, 0), zones=1, orders=1)]
    assert said(history, WRITTEN) == 'effects: job "zones" of run 1 has succeeded, but its effect is missing'
    assert broken(history) == []


# Any history


@st.composite
def right_runs(draw: st.DrawFn) -> tuple[list[Due], list[Recorded]]:
    """Instants, each with a row of its own or a place in a counted one."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=12))
    step = draw(st.integers(1, 3600))
    runs, number = [], 0
    for run, size in enumerate(sizes, start=1):
        last = number + size - 1
        runs.append(a_run(run, number * step, last * step, size, "succeeded" if size == 1 else "skipped"))
        number += size
    return due(*(step * index for index in range(number))), runs


@given(right_runs(), st.randoms(use_true_random=False))
def test_any_right_history_is_accepted_in_any_order(made: tuple[list[Due], list[Recorded]], random: Random) -> None:
    history: list[Fact] = [*made[0], *made[1]]
    random.shuffle(history)
    assert check(history, Bounds(finished=True)) == []


@given(right_runs(), st.data())
def test_any_one_corruption_of_a_right_history_is_named(
    made: tuple[list[Due], list[Recorded]], data: st.DataObject
) -> None:
    instants, runs = made
    chosen = data.draw(st.sampled_from(range(len(runs))))
    run = runs[chosen]
    match data.draw(st.sampled_from(["lost", "doubled", "miscounted", "lengthened"])):
        case "lost":
            runs = [other for other in runs if other is not run]
        case "doubled":
            runs = [*runs, replace(run, run=99, first=run.last, count=1)]
        case "miscounted":
            runs = [*runs[:chosen], replace(run, count=run.count + 1), *runs[chosen + 1 :]]
        case _:
            instants = [*instants, Due("nightly", at(10_000_000))]
    assert set(broken([*instants, *runs])) == {Promise.INSTANTS}
