"""What is written and done under a grant, and how what was cut off goes on."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.checker import Bounds, Promise, check
from tests.checker.facts import (
    Fact,
    FencedWriteRefused,
    GrantBegan,
    GrantEnded,
    GrantRenewed,
    Outage,
    Recorded,
    RunClaimed,
    RunLeft,
    RunSettled,
    RunStranded,
    Starved,
    Worked,
    Written,
)
from tests.checker.recoveries import recoveries
from tests.checker.tenures import Tenures

from .histories import a_grant, at, broken, ended, granted, renewed, said


def written(token: int, seconds: float, holder: str = "") -> Written:
    return Written(a_grant(token, holder), at(seconds))


def worked(token: int, began: float, last_seen: float, *survivors: int) -> Worked:
    return Worked(a_grant(token), at(began), at(last_seen), survivors)


# Writes and work

SETTLED: list[Fact] = [ended(1, 20), RunSettled(7, a_grant(1), at(20))]
RIGHT: dict[str, list[Fact]] = {
    "a write in force or lapsed": [written(1, 3), written(1, 20), granted(2, 21), written(2, 22)],
    "a write that was refused": [granted(2, 21), FencedWriteRefused(a_grant(1), at(23))],
    "a write at the end": [written(1, 5), ended(1, 5)],
    "work that is dead before the next grant": [worked(1, 1, 13), granted(2, 15), worked(2, 16, 20)],
    "work after the trust has ended, while nobody was granted the lease": [worked(1, 1, 40)],
}
WRONG: dict[str, list[Fact]] = {
    "after the settlement": [*SETTLED, written(1, 20.001)],
    "after the next grant": [granted(2, 15), written(1, 16)],
    "after a grant but one": [granted(2, 15), ended(2, 16), granted(3, 17), written(1, 18)],
    "by another than the holder": [written(1, 1, "thief")],
}


@pytest.mark.parametrize("history", RIGHT.values(), ids=RIGHT)
def test_writes_and_work_under_a_grant_are_right(history: list[Fact]) -> None:
    assert broken([granted(1, 0), *history]) == []


@pytest.mark.parametrize("history", WRONG.values(), ids=WRONG)
def test_a_write_is_named_that_came(history: list[Fact]) -> None:
    assert broken([granted(1, 0), *history]) == [Promise.WRITES]


def test_what_is_written_or_done_too_late_is_named_with_its_times() -> None:
    assert said([granted(1, 0), ended(1, 5), written(1, 6)]) == (
        "writes: a write under token 1 of lease 'nightly' was committed at 2026-07-01 12:00:06+00:00, "
        "after the grant had ended at 2026-07-01 12:00:05+00:00"
    )
    assert said([granted(1, 0), written(2, 1)]) == (
        "writes: a write was committed under token 2 of lease 'nightly', which was never granted"
    )
    assert said([granted(1, 0), worked(1, 1, 16), granted(2, 15)]) == (
        "children: work under token 1 of lease 'nightly' was alive at 2026-07-01 12:00:16+00:00, "
        "after token 2 was granted at 2026-07-01 12:00:15+00:00"
    )
    assert said([granted(1, 0), ended(1, 5), granted(2, 5), worked(2, 6, 7, 4711, 4712)]) == (
        "children: work under token 2 of lease 'nightly' started while processes of earlier attempts were alive: 4711, 4712"
    )


# Recovery

WITHIN = Bounds(recovery=timedelta(seconds=16))


def cut_off(claimed: float, *, token: int = 2) -> list[Fact]:
    """A run that was last renewed at 5, settled when that went stale (at 20), and claimed again."""
    return [
        granted(1, 0),
        RunClaimed(7, a_grant(1), at(0)),
        renewed(1, 5),
        ended(1, 20),
        RunSettled(7, a_grant(1), at(20)),
        granted(token, claimed),
        RunClaimed(7, a_grant(token), at(claimed)),
    ]


def recovers(claimed: float, *outages: tuple[float, float]) -> bool:
    """Tell whether that is in time, with these outages."""
    found = broken([*cut_off(claimed), *(Outage(at(began), at(ended_)) for began, ended_ in outages)], WITHIN)
    assert set(found) <= {Promise.RECOVERY}
    return not found


def test_a_run_that_goes_on_too_late_is_named() -> None:
    assert recovers(20)
    assert recovers(36)
    assert broken(cut_off(4000)) == [], "without a bound"
    assert said(cut_off(36.5), WITHIN) == (
        "recovery: run 7 resumed 16.50 s after its lost grant had gone stale, "
        "without an outage in between: more than 16 s"
    )


@pytest.mark.parametrize(
    ("renewal", "latest"),
    [
        ([], 31),  # it is stale as its granting has it
        ([GrantRenewed(a_grant(1), at(5))], 21),  # when is not known: from its last sign of life
    ],
    ids=["as granted", "from its last sign of life"],
)
def test_a_grant_is_stale_as_is_known_of_it(renewal: list[Fact], latest: float) -> None:
    def history(claimed: float) -> list[Fact]:
        return [*(fact for fact in cut_off(claimed) if not isinstance(fact, GrantRenewed)), *renewal]

    assert broken(history(latest), WITHIN) == []
    assert broken(history(latest + 0.001), WITHIN) == [Promise.RECOVERY]


def test_a_run_that_was_proven_dead_may_go_on_before_its_grant_is_stale() -> None:
    told: list[Fact] = [granted(1, 0), RunClaimed(7, a_grant(1), at(0)), ended(1, 2), RunSettled(7, a_grant(1), at(2))]
    assert broken([*told, granted(2, 2), RunClaimed(7, a_grant(2), at(2))], WITHIN) == []


def test_a_run_that_not_every_replica_can_execute_may_wait_for_one_that_can() -> None:
    """Or for its adoption (rule 22)."""

    def by(digest: str | None) -> list[Fact]:
        return [replace(fact, digest=digest) if isinstance(fact, RunSettled) else fact for fact in cut_off(400)]

    everywhere = replace(WITHIN, everywhere=frozenset({"known"}))
    assert broken(by("rare"), everywhere) == []
    assert broken(by("known"), everywhere) == [Promise.RECOVERY]
    assert broken(by("rare"), WITHIN) == [Promise.RECOVERY]


def test_a_run_that_goes_on_under_another_slot_waits_for_those_who_had_that() -> None:
    """Of a lock with several slots; a slot that nobody had is no excuse."""
    lost = [fact for fact in cut_off(60) if fact != granted(2, 60) and fact != RunClaimed(7, a_grant(2), at(60))]
    slot = [a_grant(token, name="nightly/2") for token in (1, 2)]
    on: list[Fact] = [GrantBegan(slot[1], at(60), at(75)), RunClaimed(7, slot[1], at(60))]
    before: list[Fact] = [GrantBegan(slot[0], at(10), at(90)), GrantEnded(slot[0], at(50))]
    assert broken([*lost, *before, *on], WITHIN) == []
    assert broken([*lost, *on], WITHIN) == [Promise.RECOVERY]
    long_before: list[Fact] = [GrantBegan(slot[0], at(1), at(90)), GrantEnded(slot[0], at(3))]
    assert broken([*lost, *long_before, *on], WITHIN) == [Promise.RECOVERY]


def test_a_run_on_its_last_chance_may_wait_for_others_of_its_kind() -> None:
    """It was settled twice, or runs of its schedule were, by two deaths since one last succeeded (rule 16)."""
    rows = [Recorded(run, "nightly", at(0), at(0), 1, "failed", over=True) for run in (5, 6, 7)]
    dead, dead_too = RunSettled(6, a_grant(1, "ben"), at(-9)), RunSettled(7, a_grant(1, "cleo"), at(-9))
    forgiven = RunLeft(5, a_grant(1), at(-1), "succeeded")

    def too_late(*before: Fact) -> bool:
        return Promise.RECOVERY in broken([*rows, *before, *cut_off(400)], WITHIN)

    assert not too_late(dead_too)
    assert not too_late(dead)
    assert too_late()
    assert too_late(dead, forgiven)
    assert not too_late(dead, replace(forgiven, at=at(399))), "it waited until then"
    dead_later = replace(dead, at=at(30))
    assert not too_late(dead_later), "the second death came once it was settled"
    assert not too_late(dead_later, replace(forgiven, at=at(390))), "and was forgiven before its claim"
    assert too_late(dead_later, replace(forgiven, at=at(350))), "long before"
    assert too_late(replace(dead, at=at(300))), "it was late already"
    assert too_late(replace(dead, run=4))


@pytest.mark.parametrize(
    ("latest", "outages"),
    [
        (56, [(6, 40)]),
        (56, [(30, 40)]),
        (36, [(6, 16)]),  # it ended before the grant was stale
        (36, [(-9, 5), (37, 60)]),  # before the last renewal, and after the claim
        (61, [(6, 25), (24, 30), (26, 27), (40, 45)]),  # one after the other: the last end counts
        (86, [(60, 70), (30, 50)]),
        (66, [(36, 50)]),
        (36, [(36.001, 50)]),  # it was late already
        (38, [(21, 22), (60, 79)]),
    ],
    ids=str,
)
def test_the_time_counts_from_the_end_of_an_outage(latest: float, outages: list[tuple[float, float]]) -> None:
    assert recovers(latest, *outages)
    assert not recovers(latest + 0.001, *outages)


def test_time_for_which_the_machine_was_busy_with_others_does_not_count() -> None:
    def busy(claimed: float, began: float, ended_: float, late: float) -> bool:
        starved = Starved(at(began), at(ended_), timedelta(seconds=late))
        return broken([*cut_off(claimed), starved], WITHIN) == []

    assert busy(39, 21, 30, 3)
    assert not busy(39.001, 21, 30, 3)
    assert not busy(39, 11, 20, 3), "before the grant was stale"
    assert not busy(39, 39, 48, 3), "after the claim"
    assert busy(38, 12, 22, 3), "no more than what is in between"
    assert not busy(38.001, 12, 22, 3)


def test_a_run_waits_while_another_one_has_the_lease_that_they_share() -> None:
    def history(claimed: float, *others: Fact) -> list[Fact]:
        return [granted(2, 21), *others, *cut_off(claimed, token=3)]

    until: list[tuple[float, list[Fact]]] = [(52, []), (71, [renewed(2, 40)]), (46, [ended(2, 30)])]
    for latest, of_the_other in until:
        assert broken(history(latest, *of_the_other), WITHIN) == []
        assert broken(history(latest + 0.001, *of_the_other), WITHIN) == [Promise.RECOVERY]
    (recovery,) = recoveries(history(46), Tenures(history(46)))
    assert recovery.took == timedelta(seconds=16)


def test_a_recovery_tells_how_long_it_took_and_which_outages_fell_into_it() -> None:
    within, around = Outage(at(6), at(7)), Outage(at(4.9), at(5.1))
    history = [*cut_off(21), within, around, Outage(at(-9), at(5)), Outage(at(21), at(60))]
    (recovery,) = recoveries(history, Tenures(history))
    assert recovery.took == timedelta(seconds=16)
    assert recovery.outages == (around, within)
    assert recovery.possible_from(timedelta()) == at(20)


def test_a_run_that_failed_for_good_need_not_go_on() -> None:
    over = RunSettled(7, a_grant(1), at(20), over=True)
    history: list[Fact] = [fact for fact in cut_off(60) if not isinstance(fact, RunSettled)]
    assert broken([*history, over], WITHIN) == []


def test_a_run_that_nobody_takes_from_its_ended_grant_is_named() -> None:
    assert said([RunStranded(7, a_grant(1), at(15), at(80))]) == (
        "recovery: run 7 is recorded as running under token 1 of lease 'nightly', which has been over for 65 s: more than 60 s"
    )
    assert broken([RunStranded(7, a_grant(1), at(15), at(75))]) == []


def test_violations_come_in_the_order_of_the_promises() -> None:
    history: list[Fact] = [*cut_off(60), written(1, 61), worked(1, 1, 61), granted(3, 62), granted(1, 80, "thief")]
    found = [violation.promise for violation in check(history, WITHIN)]
    assert found == sorted(found, key=list(Promise).index)
    assert set(found) == {Promise.TOKENS, Promise.OVERLAP, Promise.WRITES, Promise.CHILDREN, Promise.RECOVERY}
