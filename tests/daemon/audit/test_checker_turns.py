"""In a history that tells of each grant, claim and end: a run has one holder at a time, who alone ends it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from daemon.states import RunState
from lease.model import Grant
from tests.checker import Bounds, Promise
from tests.checker.facts import (
    Fact,
    FencedWriteRefused,
    GrantBegan,
    GrantEnded,
    GrantRenewed,
    HighestToken,
    Recorded,
    RunClaimed,
    RunLeft,
    RunSettled,
    Starved,
    Worked,
)

from .histories import a_grant, a_run, at, broken, due, ended, granted, renewed, said

IDLE = timedelta(seconds=20)
COMPLETE = Bounds(complete=True, idle=IDLE)
LENIENT = replace(COMPLETE, tolerance=timedelta(seconds=2))


def claimed(token: int, seconds: float, run: int = 7) -> RunClaimed:
    return RunClaimed(run, a_grant(token), at(seconds))


def left(token: int, seconds: float, state: RunState = "succeeded", run: int = 7) -> RunLeft:
    return RunLeft(run, a_grant(token), at(seconds), state)


def settled(token: int, seconds: float, run: int = 7) -> list[Fact]:
    return [left(token, seconds, "pending", run), RunSettled(run, a_grant(token), at(seconds))]


def worked(token: int, began: float, last_seen: float) -> Worked:
    return Worked(a_grant(token), at(began), at(last_seen))


def refused(token: int, seconds: float) -> FencedWriteRefused:
    return FencedWriteRefused(a_grant(token), at(seconds))


GOOD: list[Fact] = [
    granted(1, 0),
    claimed(1, 0),
    worked(1, 1, 4),
    renewed(1, 5),
    *settled(1, 20),  # its process had died
    ended(1, 20),
    refused(1, 20.5),
    granted(2, 21),
    claimed(2, 21),
    worked(2, 22, 29),
    renewed(2, 26),
    left(2, 30, "pending"),  # it is retried
    ended(2, 30),
    granted(3, 40),
    claimed(3, 40),
    worked(3, 41, 44),
    left(3, 45),
    ended(3, 45),
    *due(0, 60, 120),
    a_run(7, 0),
    a_run(8, 60, 120, 2, "skipped"),
    HighestToken("nightly", 3),
]


def test_a_complete_history_that_keeps_every_promise_is_right_in_any_order() -> None:
    assert broken(GOOD, COMPLETE) == []
    assert broken(reversed(GOOD), COMPLETE) == []


def test_an_incomplete_history_is_not_asked_for_what_it_need_not_tell() -> None:
    never = a_grant(9)
    strange: list[Fact] = [Worked(never, at(50), at(51)), refused(3, 42), claimed(3, 43), left(2, 50), a_run(9, 61)]
    assert broken([*GOOD, *strange]) == [Promise.INSTANTS]  # 61 is within the counted row
    promises = {Promise.TOKENS, Promise.WRITES, Promise.TURNS, Promise.INSTANTS}
    assert set(broken([*GOOD, *strange], COMPLETE)) == promises


# Grants


UNDER: dict[str, Callable[[Grant], Fact]] = {
    "work": lambda grant: Worked(grant, at(1), at(2)),
    "a renewal": lambda grant: GrantRenewed(grant, at(1), at(16)),
    "the end of a grant": lambda grant: GrantEnded(grant, at(1)),
    "a refused write": lambda grant: FencedWriteRefused(grant, at(1)),
    "a claim of run 9": lambda grant: RunClaimed(9, grant, at(1)),
    "the settlement of run 9": lambda grant: RunSettled(9, grant, at(1)),
}
"""Each fact that may happen under a grant, by what it is called."""


@pytest.mark.parametrize("never", [a_grant(2), a_grant(1, "thief"), a_grant(1, "holder 1", "weekly")])
def test_what_happens_under_a_grant_that_never_was_is_named(never: Grant) -> None:
    right: list[Fact] = [granted(1, 0), worked(1, 0, 1)]
    for what, fact in UNDER.items():
        assert said([*right, fact(never)], COMPLETE) == (
            f"tokens: {what} under token {never.token} of lease '{never.name}', which was never granted to {never.holder}"
        )
        assert broken([*right, fact(never)]) == []


def test_a_run_that_a_grant_that_never_was_ended_is_named() -> None:
    ended_by_it = RunLeft(7, a_grant(1, "thief"), at(3), "succeeded")
    history: list[Fact] = [granted(1, 0), worked(1, 0, 1), claimed(1, 1), ended_by_it]
    assert broken(history, COMPLETE) == [Promise.TOKENS, Promise.TURNS]


# Refusals

ONE: list[Fact] = [granted(1, 0), worked(1, 0, 1)]
NEXT: list[Fact] = [granted(2, 15), worked(2, 15, 16)]


def test_a_write_is_refused_rightly_once_its_grant_has_ended_or_as_near_to_that_as_the_tolerance() -> None:
    assert broken([*ONE, ended(1, 5), refused(1, 5)], COMPLETE) == []
    assert broken([*ONE, *NEXT, refused(1, 15)], COMPLETE) == []
    assert broken([*ONE, refused(1, 60)], COMPLETE) == [Promise.WRITES], "it had lapsed, but nobody had taken it"
    assert broken([*ONE, ended(1, 9), refused(1, 7)], LENIENT) == []
    assert broken([*ONE, ended(1, 9), refused(1, 6.999)], LENIENT) == [Promise.WRITES]


@pytest.mark.parametrize("after", [[], [ended(1, 5)], NEXT])
def test_a_write_that_was_refused_while_its_grant_was_in_force_is_named(after: list[Fact]) -> None:
    assert said([*ONE, refused(1, 4), *after], COMPLETE) == (
        "writes: a write under token 1 of lease 'nightly' was refused at 2026-07-01 12:00:04+00:00, while the grant was in force"
    )


# One holder at a time

TWO: list[Fact] = [granted(1, 0), worked(1, 0, 1), ended(1, 10), granted(2, 10), worked(2, 10, 11)]
THIRD: list[Fact] = [ended(2, 20), granted(3, 20), worked(3, 20, 21)]


@pytest.mark.parametrize(
    ("history", "what", "when"),
    [
        ([claimed(1, 1), claimed(2, 12), left(2, 13)], "claimed under token 2 while token 1 held it", "12"),
        ([claimed(1, 16)], "claimed under token 1, which had ended", "16"),
        ([claimed(1, 1), left(2, 12)], "ended under token 2, which had not claimed it", "12"),
        ([claimed(1, 1), left(1, 10.5)], "ended under token 1, after the next grant of that lease", "10.500000"),
    ],
)
def test_what_makes_two_holders_of_a_run_is_named(history: list[Fact], what: str, when: str) -> None:
    named = f"turns: run 7 was {what} (lease 'nightly', at 2026-07-01 12:00:{when}+00:00)"
    assert said([*TWO, *history], COMPLETE) == named


RIGHT: dict[str, list[Fact]] = {
    "another run of the lease": [claimed(1, 1), left(1, 2), claimed(1, 3, 8), left(1, 4, run=8)],
    "claimed at the end of the grant": [claimed(1, 10)],
    "ended at the next grant": [claimed(1, 1), left(1, 10)],
    # A lock is shared: the other run is granted the stale lease before anybody notices that the first's holder died.
    "settled long after": [claimed(1, 1), claimed(2, 11, 8), *settled(1, 60)],
}
WRONG: dict[str, list[Fact]] = {
    "claimed after the end of the grant": [claimed(1, 10.001)],
    "claimed twice under one grant": [claimed(2, 11), claimed(2, 12)],
    "another run was ended": [claimed(1, 1), left(1, 2, run=8)],
    "ended without a claim": [left(1, 2)],
    "ended twice": [claimed(1, 1), left(1, 2), left(1, 3)],
    "left long after": [claimed(1, 1), claimed(2, 11, 8), left(1, 60, "pending")],
    "left with one that was settled": [claimed(1, 1), claimed(1, 1, 8), *settled(1, 60), left(1, 60, run=8)],
    "left after one that was settled": [*THIRD, claimed(2, 12), claimed(1, 1), *settled(1, 11), left(2, 21)],
    "settled from a grant that does not have it": [claimed(2, 11), *settled(1, 12)],
}


@pytest.mark.parametrize("history", RIGHT.values(), ids=RIGHT)
def test_one_holder_at_a_time_is_right(history: list[Fact]) -> None:
    assert broken([*TWO, *history], COMPLETE) == []


@pytest.mark.parametrize("history", WRONG.values(), ids=WRONG)
def test_any_other_turn_is_named(history: list[Fact]) -> None:
    assert broken([*TWO, *history], COMPLETE) == [Promise.TURNS]


def test_a_claim_and_an_end_may_be_as_late_as_the_tolerance() -> None:
    assert broken([*TWO, claimed(1, 12)], LENIENT) == broken([*TWO, claimed(1, 1), left(1, 12)], LENIENT) == []
    assert broken([*TWO, claimed(1, 12.001)], LENIENT) == [Promise.TURNS]
    assert broken([*TWO, claimed(1, 1), left(1, 12.001)], LENIENT) == [Promise.TURNS]


def test_a_claim_of_a_stale_lease_that_another_has_taken_is_named() -> None:
    assert broken([*ONE, *NEXT, claimed(1, 16)], COMPLETE) == [Promise.TURNS]


def test_a_run_that_is_ended_by_another_holder_under_the_same_token_is_named() -> None:
    thief = a_grant(1, "thief")
    ended_by_it = RunLeft(7, thief, at(3), "succeeded")
    history: list[Fact] = [*TWO, GrantBegan(thief, at(0), at(15)), Worked(thief, at(1), at(2))]
    assert Promise.TURNS not in broken(history, COMPLETE)
    assert Promise.TURNS in broken([*history, claimed(1, 1), ended_by_it], COMPLETE)


def test_each_claim_of_a_run_has_a_higher_token_than_the_one_before() -> None:
    """Also where it goes on under another slot of its lock, whose tokens are not those of the first."""
    first, other = Grant("slot", 7, "h1"), Grant("slot/2", 7, "h2")
    history: list[Fact] = [
        *(GrantBegan(first, at(0), at(15)), RunClaimed(7, first, at(0))),
        *(RunLeft(7, first, at(5), "pending"), GrantEnded(first, at(5))),
        *(GrantBegan(other, at(6), at(21)), RunClaimed(7, other, at(6))),
        *(RunLeft(7, other, at(9), "succeeded"), GrantEnded(other, at(9))),
    ]
    assert said(history, COMPLETE).startswith("turns: run 7 was claimed under token 7 after token 7 (lease 'slot/2'")


# Idle grants


def test_a_grant_that_is_renewed_though_nothing_began_under_it_is_named() -> None:
    assert said([granted(1, 0), renewed(1, 50), renewed(1, 100)], COMPLETE) == (
        "tokens: token 1 of lease 'nightly' was renewed for 100.0 s, but no work started under it"
    )
    history: list[Fact] = [*TWO, ended(2, 20), granted(3, 20), renewed(3, 100)]
    assert said(history, COMPLETE).startswith("tokens: token 3 of lease 'nightly' was renewed for 80.0 s")


def test_a_grant_may_be_renewed_for_so_long_or_while_something_has_begun_or_to_prune() -> None:
    assert broken([granted(1, 0), renewed(1, 20)], COMPLETE) == []
    assert broken([granted(1, 0), renewed(1, 20.001)], COMPLETE) == [Promise.TOKENS]
    assert broken([granted(1, 0), renewed(1, 100)], Bounds(complete=True)) == []
    assert broken([granted(1, 0), worked(1, 1, 2), renewed(1, 4000)], COMPLETE) == []
    pruning = Grant("prune/shop", 1, "h1")
    assert broken([GrantBegan(pruning, at(0), at(15)), GrantRenewed(pruning, at(100), at(115))], COMPLETE) == []


def test_a_grant_may_be_idle_for_as_long_as_the_machine_is_busy_with_others() -> None:
    def history(late: float) -> list[Fact]:
        starved = Starved(at(20), at(100), timedelta(seconds=late))
        return [*TWO, ended(2, 20), granted(3, 20), renewed(3, 100), starved]

    enough = 80 - IDLE.total_seconds()
    assert broken(history(enough), COMPLETE) == []
    assert broken(history(enough - 0.001), COMPLETE) == [Promise.TOKENS]


# Instants


@pytest.mark.parametrize(
    "run",
    [a_run(2, 30), replace(a_run(2, 30), schedule="weekly"), a_run(2, -60), a_run(2, 120)],
    ids=["between two", "of another schedule", "before the first", "after the last"],
)
def test_a_run_at_an_instant_that_is_not_due_is_named(run: Recorded) -> None:
    history: list[Fact] = [*due(0, 60), a_run(1, 0), a_run(3, 60), run]
    assert said(history, COMPLETE) == (
        f'instants: run 2 of "{run.schedule}" stands for 1 scheduled time from {run.first} to {run.first}, but 0 were due'
    )
    assert broken(history) == []
    assert broken([*history[:-1], replace(run, manual=True)], COMPLETE) == []


def test_a_counted_row_that_reaches_beyond_what_was_due_is_named() -> None:
    assert broken([*due(0, 60), a_run(1, 0, 120, 3, "skipped")], COMPLETE) == [Promise.INSTANTS]
