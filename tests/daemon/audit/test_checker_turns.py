"""In a history that tells of each grant, claim and end: a run has one holder at a time, who alone ends it."""

from collections.abc import Iterable
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


def test_a_complete_history_that_keeps_every_promise_is_right() -> None:
    assert broken(GOOD, COMPLETE) == []


def test_the_order_in_which_facts_are_told_makes_no_difference() -> None:
    assert broken(reversed(GOOD), COMPLETE) == []


def test_an_incomplete_history_is_not_asked_for_what_it_need_not_tell() -> None:
    never = a_grant(9)
    strange: list[Fact] = [Worked(never, at(50), at(51)), refused(3, 42), claimed(3, 43), left(2, 50), a_run(9, 61)]
    assert broken([*GOOD, *strange]) == [Promise.INSTANTS]  # 61 is within the counted row
    promises = {Promise.TOKENS, Promise.WRITES, Promise.TURNS, Promise.INSTANTS}
    assert set(broken([*GOOD, *strange], COMPLETE)) == promises


# Grants


def under(grant: Grant) -> Iterable[Fact]:
    """Each fact that may happen under a grant."""
    yield Worked(grant, at(1), at(2))
    yield GrantRenewed(grant, at(1), at(16))
    yield GrantEnded(grant, at(1))
    yield FencedWriteRefused(grant, at(1))
    yield RunClaimed(9, grant, at(1))
    yield RunSettled(9, grant, at(1))


IN_WORDS = {
    Worked: "work",
    GrantRenewed: "a renewal",
    GrantEnded: "the end of a grant",
    FencedWriteRefused: "a refused write",
    RunClaimed: "a claim of run 9",
    RunLeft: "the end of run 9's attempt",
    RunSettled: "the settlement of run 9",
}


@pytest.mark.parametrize("never", [a_grant(2), a_grant(1, "thief"), a_grant(1, "holder 1", "weekly")])
def test_what_happens_under_a_grant_that_never_was_is_named(never: Grant) -> None:
    right: list[Fact] = [granted(1, 0), worked(1, 0, 1)]
    for fact in under(never):
        what = IN_WORDS[type(fact)]
        assert said([*right, fact], COMPLETE) == (
            f"tokens: {what} under token {never.token} of lease '{never.name}', which was never granted to {never.holder}"
        )
        assert broken([*right, fact]) == []


def test_a_run_that_a_grant_that_never_was_ended_is_named() -> None:
    ended_by_it = RunLeft(7, a_grant(1, "thief"), at(3), "succeeded")
    history: list[Fact] = [granted(1, 0), worked(1, 0, 1), claimed(1, 1), ended_by_it]
    assert broken(history, COMPLETE) == [Promise.TOKENS, Promise.TURNS]


# Refusals


def test_a_write_that_was_refused_once_its_grant_had_ended_is_right() -> None:
    begun: list[Fact] = [granted(1, 0), worked(1, 0, 1)]
    assert broken([*begun, ended(1, 5), refused(1, 5)], COMPLETE) == []
    assert broken([*begun, granted(2, 15), worked(2, 15, 16), refused(1, 15)], COMPLETE) == []


@pytest.mark.parametrize("after", [[], [ended(1, 5)], [granted(2, 15), worked(2, 15, 16)]])
def test_a_write_that_was_refused_while_its_grant_was_in_force_is_named(after: list[Fact]) -> None:
    assert said([granted(1, 0), worked(1, 0, 1), refused(1, 4), *after], COMPLETE) == (
        "writes: a write under token 1 of lease 'nightly' was refused at 2026-07-01 12:00:04+00:00, while the grant was in force"
    )


def test_a_write_of_a_lapsed_grant_that_nobody_took_must_not_be_refused() -> None:
    assert broken([granted(1, 0), worked(1, 0, 1), refused(1, 60)], COMPLETE) == [Promise.WRITES]


def test_a_refusal_may_be_earlier_than_the_end_by_the_tolerance() -> None:
    begun: list[Fact] = [granted(1, 0), worked(1, 0, 1), ended(1, 9)]
    assert broken([*begun, refused(1, 7)], LENIENT) == []
    assert broken([*begun, refused(1, 6.999)], LENIENT) == [Promise.WRITES]


# One holder at a time

TWO: list[Fact] = [granted(1, 0), worked(1, 0, 1), ended(1, 10), granted(2, 10), worked(2, 10, 11)]


def test_a_run_that_is_claimed_twice_with_no_leaving_between_is_named() -> None:
    assert said([*TWO, claimed(1, 1), claimed(2, 12), left(2, 13)], COMPLETE) == (
        "turns: run 7 was claimed under token 2 while token 1 held it (lease 'nightly', at 2026-07-01 12:00:12+00:00)"
    )


def test_a_run_that_is_claimed_twice_under_one_grant_is_named() -> None:
    assert broken([*TWO, claimed(2, 11), claimed(2, 12)], COMPLETE) == [Promise.TURNS]


def test_runs_of_one_lease_have_each_a_holder_of_their_own() -> None:
    assert broken([*TWO, claimed(1, 1), left(1, 2), claimed(1, 3, run=8), left(1, 4, run=8)], COMPLETE) == []
    assert broken([*TWO, claimed(1, 1), left(1, 2, run=8)], COMPLETE) == [Promise.TURNS]


@pytest.mark.parametrize("end", [[ended(1, 10)], [granted(2, 15), worked(2, 15, 16)]])
def test_a_run_that_is_claimed_under_an_ended_grant_is_named(end: list[Fact]) -> None:
    history: list[Fact] = [granted(1, 0), worked(1, 0, 1), *end]
    assert said([*history, claimed(1, 16)], COMPLETE) == (
        "turns: run 7 was claimed under token 1, which had ended (lease 'nightly', at 2026-07-01 12:00:16+00:00)"
    )


def test_a_claim_may_be_later_than_the_end_by_the_tolerance() -> None:
    assert broken([*TWO, claimed(1, 10)], COMPLETE) == []
    assert broken([*TWO, claimed(1, 10.001)], COMPLETE) == [Promise.TURNS]
    assert broken([*TWO, claimed(1, 12)], LENIENT) == []
    assert broken([*TWO, claimed(1, 12.001)], LENIENT) == [Promise.TURNS]


def test_a_run_that_is_ended_under_another_grant_is_named() -> None:
    assert said([*TWO, claimed(1, 1), left(2, 12)], COMPLETE) == (
        "turns: run 7 was ended under token 2, which had not claimed it (lease 'nightly', at 2026-07-01 12:00:12+00:00)"
    )


def test_a_run_that_is_ended_by_another_holder_under_the_same_token_is_named() -> None:
    thief = a_grant(1, "thief")
    ended_by_it = RunLeft(7, thief, at(3), "succeeded")
    history: list[Fact] = [*TWO, GrantBegan(thief, at(0), at(15)), Worked(thief, at(1), at(2))]
    assert Promise.TURNS not in broken(history, COMPLETE)
    assert Promise.TURNS in broken([*history, claimed(1, 1), ended_by_it], COMPLETE)


def test_a_run_that_is_ended_without_a_claim_is_named() -> None:
    assert broken([*TWO, left(1, 2)], COMPLETE) == [Promise.TURNS]


def test_a_run_that_is_ended_twice_is_named() -> None:
    assert broken([*TWO, claimed(1, 1), left(1, 2), left(1, 3)], COMPLETE) == [Promise.TURNS]


def test_a_run_that_is_ended_after_the_next_grant_of_its_lease_is_named() -> None:
    assert said([*TWO, claimed(1, 1), left(1, 10.001)], COMPLETE) == (
        "turns: run 7 was ended under token 1, after the next grant of that lease "
        "(lease 'nightly', at 2026-07-01 12:00:10.001000+00:00)"
    )
    assert broken([*TWO, claimed(1, 1), left(1, 10)], COMPLETE) == []


def test_an_end_may_be_later_than_the_next_grant_by_the_tolerance() -> None:
    assert broken([*TWO, claimed(1, 1), left(1, 12)], LENIENT) == []
    assert broken([*TWO, claimed(1, 1), left(1, 12.001)], LENIENT) == [Promise.TURNS]


def test_a_run_whose_lease_another_took_may_be_settled_long_after() -> None:
    """A lock is shared: the other run is granted the stale lease before anybody notices that the first's holder died."""
    history: list[Fact] = [*TWO, claimed(1, 1), claimed(2, 11, run=8)]
    assert broken([*history, *settled(1, 60)], COMPLETE) == []
    assert broken([*history, *settled(1, 60)[:1]], COMPLETE) == [Promise.TURNS]


def test_only_the_attempt_that_was_settled_may_be_left_so_late() -> None:
    """Neither another run under the same grant nor another attempt of the same run."""
    history: list[Fact] = [*TWO, claimed(1, 1), claimed(1, 1, run=8), *settled(1, 60)]
    assert broken([*history, left(1, 60, run=8)], COMPLETE) == [Promise.TURNS]
    third: list[Fact] = [ended(2, 20), granted(3, 20), worked(3, 20, 21), claimed(2, 12)]
    assert broken([*TWO, *third, claimed(1, 1), *settled(1, 11), left(2, 21)], COMPLETE) == [Promise.TURNS]


def test_a_settlement_takes_a_run_only_from_the_grant_that_has_it() -> None:
    assert broken([*TWO, claimed(2, 11), *settled(1, 12)], COMPLETE) == [Promise.TURNS]


def test_each_claim_of_a_run_has_a_higher_token_than_the_one_before() -> None:
    """Also where it goes on under another slot of its lock, whose tokens are not those of the first."""
    first, other = Grant("slot", 7, "h1"), Grant("slot/2", 7, "h2")
    history: list[Fact] = [
        GrantBegan(first, at(0), at(15)),
        RunClaimed(7, first, at(0)),
        RunLeft(7, first, at(5), "pending"),
        GrantEnded(first, at(5)),
        GrantBegan(other, at(6), at(21)),
        RunClaimed(7, other, at(6)),
        RunLeft(7, other, at(9), "succeeded"),
        GrantEnded(other, at(9)),
    ]
    assert said(history, COMPLETE).startswith("turns: run 7 was claimed under token 7 after token 7 (lease 'slot/2'")


# Idle grants


def test_a_grant_that_is_renewed_though_nothing_began_under_it_is_named() -> None:
    assert said([granted(1, 0), renewed(1, 50), renewed(1, 100)], COMPLETE) == (
        "tokens: token 1 of lease 'nightly' was renewed for 100.0 s, but no work started under it"
    )


def test_a_grant_under_which_nothing_began_may_be_renewed_for_so_long_and_no_longer() -> None:
    assert broken([granted(1, 0), renewed(1, 20)], COMPLETE) == []
    assert broken([granted(1, 0), renewed(1, 20.001)], COMPLETE) == [Promise.TOKENS]
    assert broken([granted(1, 0), renewed(1, 100)], Bounds(complete=True)) == []


def test_a_grant_under_which_something_began_may_be_renewed_for_ever() -> None:
    assert broken([granted(1, 0), worked(1, 1, 2), renewed(1, 4000)], COMPLETE) == []


def test_the_lease_of_whoever_prunes_may_be_renewed_as_long_as_that_takes() -> None:
    pruning = Grant("prune/shop", 1, "h1")
    assert broken([GrantBegan(pruning, at(0), at(15)), GrantRenewed(pruning, at(100), at(115))], COMPLETE) == []


def test_a_grant_may_be_idle_for_as_long_as_the_machine_is_busy_with_others() -> None:
    def history(late: float) -> list[Fact]:
        starved = Starved(at(20), at(100), timedelta(seconds=late))
        return [*TWO, ended(2, 20), granted(3, 20), renewed(3, 100), starved]

    enough = 80 - IDLE.total_seconds()
    assert broken(history(enough), COMPLETE) == []
    assert broken(history(enough - 0.001), COMPLETE) == [Promise.TOKENS]


def test_work_under_another_grant_is_no_use_for_an_idle_one() -> None:
    history: list[Fact] = [*TWO, ended(2, 20), granted(3, 20), renewed(3, 100)]
    assert said(history, COMPLETE).startswith("tokens: token 3 of lease 'nightly' was renewed for 80.0 s")


# Instants


def test_a_run_at_an_instant_that_is_not_due_is_named() -> None:
    history: list[Fact] = [*due(0, 60), a_run(1, 0), a_run(2, 30), a_run(3, 60)]
    assert said(history, COMPLETE) == (
        'instants: run 2 of "nightly" stands for 1 scheduled time from 2026-07-01 12:00:30+00:00 to '
        "2026-07-01 12:00:30+00:00, but 0 were due"
    )
    assert broken(history) == []


@pytest.mark.parametrize("instant", [-60, 120])
def test_a_run_before_the_first_instant_or_after_the_last_is_named(instant: float) -> None:
    history: list[Fact] = [*due(0, 60), a_run(1, 0), a_run(2, 60), a_run(3, instant)]
    assert broken(history, COMPLETE) == [Promise.INSTANTS]
    assert broken(history) == []


def test_a_counted_row_that_reaches_beyond_what_was_due_is_named() -> None:
    assert broken([*due(0, 60), a_run(1, 0, 120, 3, "skipped")], COMPLETE) == [Promise.INSTANTS]


def test_a_run_of_an_unknown_schedule_is_named() -> None:
    unknown = replace(a_run(2, 0), schedule="weekly")
    assert said([*due(0), a_run(1, 0), unknown], COMPLETE) == (
        'instants: run 2 of "weekly" stands for 1 scheduled time from 2026-07-01 12:00:00+00:00 to '
        "2026-07-01 12:00:00+00:00, but 0 were due"
    )


def test_a_manual_run_needs_no_instant() -> None:
    assert broken([*due(0), a_run(1, 0), replace(a_run(2, 30), manual=True)], COMPLETE) == []
