"""Each due instant has one run, which comes to its end, goes on under its definition and never once it was cancelled;
and what it has recorded is there once.
"""

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.states import RunState
from tests.checker import Bounds, Promise, check
from tests.checker.facts import (
    Due,
    Fact,
    Recorded,
    RunClaimed,
    RunMarked,
    RunRedefined,
    ScheduleProgress,
    Worked,
    Written,
)

from .histories import a_grant, a_run, at, broken, due, ended, granted, said

# Instants


RIGHT: dict[str, list[Fact]] = {
    "a manual run doubles none": [*due(0), a_run(1, 0), replace(a_run(2, 0), manual=True)],
    "a counted row that began before what is known": [*due(60, 120), a_run(1, -600, 60, 12, "skipped"), a_run(2, 120)],
    "planned next at its next instant": [ScheduleProgress("nightly", at(0), at(60), at(60))],
    "planned to its end": [ScheduleProgress("over", at(0), None, None)],
}
WRONG: dict[str, list[Fact]] = {
    "lost": [*due(0, 60, 120), a_run(1, 0), a_run(2, 120)],
    "two runs": [*due(0, 60), a_run(1, 0), a_run(2, 0), a_run(3, 60)],
    "an own row within a counted one": [*due(0, 60, 120), a_run(1, 0, 120, 3, "skipped"), a_run(2, 60)],
    "an own row at its end": [*due(0, 60, 120), a_run(1, 0, 120, 3, "skipped"), a_run(2, 120)],
    "too few are counted": [*due(0, 60, 120, 180), a_run(1, 0), a_run(2, 60, 120, 1, "skipped"), a_run(3, 180)],
    "too many are counted": [*due(0, 60, 120, 180), a_run(1, 0), a_run(2, 60, 120, 3, "skipped"), a_run(3, 180)],
    "a run of another schedule": [*due(0), replace(a_run(1, 0), schedule="hourly")],
    "a manual run": [*due(0), replace(a_run(1, 0), manual=True)],
    "two where nothing is known of what was due": [a_run(1, 0), a_run(2, 0)],
    "nothing was due": [*due(0, 180), a_run(1, 0), a_run(2, 61, 119, 2, "skipped"), a_run(3, 180)],
    "overlap": [*due(0, 60, 120, 180), a_run(1, 0, 120, 3, "skipped"), a_run(2, 120, 180, 2, "skipped")],
    "moved past an instant": [ScheduleProgress("nightly", at(0), at(120), at(60))],
    "never planned again": [ScheduleProgress("nightly", at(0), None, at(60))],
}


@pytest.mark.parametrize("history", RIGHT.values(), ids=RIGHT)
def test_an_instant_with_one_run_is_right(history: list[Fact]) -> None:
    assert broken(history) == []


@pytest.mark.parametrize("history", WRONG.values(), ids=WRONG)
def test_what_accounts_for_no_instant_or_for_another_is_named(history: list[Fact]) -> None:
    assert broken(history) == [Promise.INSTANTS]


def test_each_own_row_within_a_counted_one_is_named() -> None:
    history: list[Fact] = [*due(0, 60, 120), a_run(1, 0, 120, 3, "skipped"), a_run(2, 60), a_run(3, 120)]
    assert broken(history) == [Promise.INSTANTS, Promise.INSTANTS]


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


# The end of each run


@pytest.mark.parametrize("state", ["pending", "running"])
def test_a_run_that_is_not_over_is_named_once_all_should_be(state: RunState) -> None:
    history: list[Fact] = [*due(0, 60), a_run(1, 0, state=state), a_run(2, 60, state="failed")]
    assert broken(history) == []
    assert said(history, Bounds(finished=True)) == (
        f'final: run 1 of "nightly", due at 2026-07-01 12:00:00+00:00, is not over: {state}'
    )


def test_a_job_left_running_by_its_run_is_named() -> None:
    assert broken([replace(a_run(1, 0), left_running=("zones",))]) == [Promise.FINAL]


# Effects


def done(run: Recorded, jobs: tuple[str, ...] | None = None, **succeeded: int) -> Recorded:
    return replace(run, jobs=jobs, succeeded=succeeded)


def test_a_run_whose_jobs_have_succeeded_once_each_or_which_failed_or_whose_jobs_are_not_known_is_right() -> None:
    assert broken([done(a_run(1, 0), ("zones", "orders"), zones=1, orders=1)]) == []
    assert broken([done(a_run(1, 0, state="failed"), ("zones",)), done(a_run(2, 60))]) == []


def test_a_job_that_succeeded_twice_is_named_whatever_became_of_the_run() -> None:
    said_ = 'effects: job "zones" of run 1 of "nightly" has succeeded 2 times'
    assert said([done(a_run(1, 0), zones=2)]) == said_
    assert said([done(a_run(1, 0, state="running"), zones=2)]) == said_


def test_a_run_that_succeeded_without_a_job_of_its_own_or_one_that_it_had_begun_is_named_once() -> None:
    """Rule 22: nothing that failed ever disappears."""
    named = 'effects: run 1 of "nightly" has succeeded, but its job "orders" has not'
    begun = replace(a_run(1, 0), attempted=("zones", "orders"))
    assert said([done(a_run(1, 0), ("zones", "orders"), zones=1)]) == named
    assert said([done(begun, zones=1)]) == named, "its jobs are not known"
    assert said([done(begun, ("zones", "orders"), zones=1)]) == named
    assert broken([done(begun, zones=1, orders=1)]) == []
    assert broken([replace(a_run(1, 0, state="failed"), attempted=("orders",))]) == []


@pytest.mark.parametrize(
    ("jobs", "sentence"),
    [
        (("zones", "orders"), None),
        (("zones", "orders", "zones"), 'the effect of job "zones" of run 1 was written 2 times'),
        (("orders",), 'job "zones" of run 1 has succeeded, but its effect is missing'),
    ],
    ids=["one each", "one twice", "one missing"],
)
def test_an_effect_for_each_job_that_succeeded_is_right_and_no_other_number(
    jobs: tuple[str, ...], sentence: str | None
) -> None:
    written = (Written(a_grant(1), at(1), 1, job) for job in jobs)
    history: list[Fact] = [granted(1, 0), *written, done(a_run(1, 0), zones=1, orders=1)]
    assert broken(history) == []
    found = check(history, Bounds(effects_written=True))
    assert [str(violation) for violation in found] == ([] if sentence is None else [f"effects: {sentence}"])


# A run that was marked as cancelled never goes on (rule 23)

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
def test_a_marked_run_that_ended_otherwise_or_waits_is_named_once(state: RunState) -> None:
    assert said([replace(MARKED, state=state, last_start=at(14))]) == (
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


# An attempt executes the definition of its run, which only a recorded adoption changes (rule 22)

OLD, NEW = "0ld" * 10, "fe11" * 8
ADOPTED = RunRedefined(7, at(20), NEW, OLD, adopted=True)


def worked(token: int, seconds: float, digest: str | None) -> list[Fact]:
    """A claim of run 7, and the work under it that belongs to the same definition."""
    grant = a_grant(token)
    work = Worked(grant, at(seconds + 1), at(seconds + 2), digest=digest)
    return [granted(token, seconds), RunClaimed(7, grant, at(seconds), digest), work, ended(token, seconds + 3)]


@pytest.mark.parametrize(
    "history",
    [
        [*worked(1, 0, OLD), *worked(2, 10, OLD), ADOPTED, *worked(3, 30, NEW)],
        [*worked(1, 0, OLD), granted(2, 10), RunClaimed(8, a_grant(2), at(10), NEW)],
        [granted(1, 0), Worked(a_grant(1), at(1), at(2), digest=OLD)],
        [granted(1, 0), RunClaimed(7, a_grant(1), at(0), NEW), Worked(a_grant(1), at(1), at(2))],
        [*worked(1, 0, OLD), granted(2, 10), RunClaimed(7, a_grant(2), at(10))],
    ],
    ids=["an adoption", "another run", "the claim is unknown", "work of any definition", "a claim by none"],
)
def test_attempts_by_the_definition_of_their_run_are_right(history: list[Fact]) -> None:
    assert Promise.DEFINITIONS not in broken(history)


@pytest.mark.parametrize(
    ("history", "sentence"),
    [
        (
            [*worked(1, 0, OLD)[:2], Worked(a_grant(1), at(1), at(2), digest=NEW)],
            "uses the definition 0ld0ld0l, but its attempt under token 1 executed fe11fe11",
        ),
        (
            [*worked(1, 0, OLD), *worked(2, 10, NEW)],
            "was claimed by fe11fe11 after 0ld0ld0l without an adoption",
        ),
        (
            [*worked(1, 0, OLD), replace(ADOPTED, adopted=False), *worked(3, 30, NEW)],
            "uses fe11fe11 from 2026-07-01 12:00:20+00:00 on, which is not an adoption",
        ),
    ],
)
def test_an_attempt_by_another_definition_is_named(history: list[Fact], sentence: str) -> None:
    assert said(history) == f"definitions: run 7 {sentence}"


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
