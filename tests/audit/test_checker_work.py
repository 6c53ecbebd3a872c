"""What is written and done under a grant, and how what was cut off goes on."""

from datetime import timedelta

import pytest

from daemon.audit import Bounds, Promise, check
from daemon.audit.facts import Claimed, Ended, Fact, Outage, Refused, Settled, Stranded, Worked, Written

from .histories import a_grant, at, broken, ended, granted, renewed, said


def written(token: int, seconds: float, holder: str = "") -> Written:
    return Written(a_grant(token, holder), at(seconds))


# Writes


def test_writes_under_a_grant_in_force_or_lapsed_are_right() -> None:
    history: list[Fact] = [
        granted(1, 0),
        written(1, 3),
        written(1, 20),
        granted(2, 21),
        written(2, 22),
        Refused(a_grant(1), at(23)),
    ]
    assert broken(history) == []


@pytest.mark.parametrize("seconds", [5, 5.0 - 1e-6])
def test_a_write_exactly_at_the_end_or_just_before_is_right(seconds: float) -> None:
    assert broken([granted(1, 0), written(1, seconds), ended(1, 5)]) == []


def test_a_write_after_the_release_is_named() -> None:
    assert said([granted(1, 0), ended(1, 5), written(1, 6)]) == (
        "writes: a write under token 1 of lease 'nightly' was committed at 2026-07-01 12:00:06+00:00, "
        "after the grant had ended at 2026-07-01 12:00:05+00:00"
    )


def test_a_write_after_the_settlement_is_named() -> None:
    settled: list[Fact] = [Ended(a_grant(1), at(20)), Settled(7, a_grant(1), at(20))]
    assert broken([granted(1, 0), *settled, written(1, 20.001)]) == [Promise.WRITES]


def test_a_write_after_the_next_grant_is_named() -> None:
    assert broken([granted(1, 0), granted(2, 15), written(1, 16)]) == [Promise.WRITES]


def test_a_write_after_a_grant_but_one_is_named() -> None:
    history: list[Fact] = [granted(1, 0), granted(2, 15), ended(2, 16), granted(3, 17), written(1, 18)]
    assert broken(history) == [Promise.WRITES]


def test_a_write_under_a_grant_that_never_was_is_named() -> None:
    assert said([granted(1, 0), written(2, 1)]) == (
        "writes: a write was committed under token 2 of lease 'nightly', which was never granted"
    )


def test_a_write_by_another_than_the_holder_is_named() -> None:
    assert broken([granted(1, 0), written(1, 1, "thief")]) == [Promise.WRITES]


# Work


def worked(token: int, began: float, last_seen: float, *survivors: int) -> Worked:
    return Worked(a_grant(token), at(began), at(last_seen), survivors)


def test_work_that_is_dead_before_the_next_grant_is_right() -> None:
    history: list[Fact] = [granted(1, 0), worked(1, 1, 13), granted(2, 15), worked(2, 16, 20)]
    assert broken(history) == []


def test_work_after_the_trust_has_ended_hurts_nobody_while_nobody_was_granted_the_lease() -> None:
    assert broken([granted(1, 0), worked(1, 1, 40)]) == []


def test_a_child_alive_after_the_next_grant_is_named() -> None:
    assert said([granted(1, 0), worked(1, 1, 16), granted(2, 15)]) == (
        "children: work under token 1 of lease 'nightly' was alive at 2026-07-01 12:00:16+00:00, "
        "after token 2 was granted at 2026-07-01 12:00:15+00:00"
    )


def test_survivors_that_an_attempt_finds_are_named() -> None:
    assert said([granted(1, 0), ended(1, 5), granted(2, 5), worked(2, 6, 7, 4711, 4712)]) == (
        "children: work under token 2 of lease 'nightly' began while processes of earlier attempts were alive: 4711, 4712"
    )


# Recovery

WITHIN = Bounds(recovery=timedelta(seconds=16))


def cut_off(claimed: float) -> list[Fact]:
    """A run that was last renewed at 5, settled when that went stale, and claimed again."""
    return [
        granted(1, 0),
        Claimed(7, a_grant(1), at(0)),
        renewed(1, 5),
        ended(1, 20),
        Settled(7, a_grant(1), at(20)),
        granted(2, claimed),
        Claimed(7, a_grant(2), at(claimed)),
    ]


def test_a_run_that_goes_on_in_time_is_right() -> None:
    assert broken(cut_off(21), WITHIN) == []


def test_a_run_that_goes_on_too_late_is_named() -> None:
    assert said(cut_off(21.5), WITHIN) == (
        "recovery: run 7 went on 16.50 s after the last renewal of the grant that it had lost, more than 16 s"
    )


def test_without_a_bound_no_recovery_is_too_late() -> None:
    assert broken(cut_off(4000)) == []


def test_an_outage_is_left_out() -> None:
    assert broken([*cut_off(31), Outage(at(6), at(16))], WITHIN) == []
    assert broken([*cut_off(31.5), Outage(at(6), at(16))], WITHIN) == [Promise.RECOVERY]


def test_what_outages_have_in_common_is_left_out_once() -> None:
    overlapping = [Outage(at(6), at(12)), Outage(at(10), at(16)), Outage(at(11), at(13))]
    assert broken([*cut_off(31), *overlapping], WITHIN) == []
    assert broken([*cut_off(31.5), *overlapping], WITHIN) == [Promise.RECOVERY]


def test_an_outage_before_the_last_renewal_or_after_the_claim_excuses_nothing() -> None:
    assert broken([*cut_off(21.5), Outage(at(-9), at(5)), Outage(at(22), at(60))], WITHIN) == [Promise.RECOVERY]


def test_a_run_that_failed_for_good_need_not_go_on() -> None:
    over = Settled(7, a_grant(1), at(20), over=True)
    history: list[Fact] = [fact for fact in cut_off(60) if not isinstance(fact, Settled)]
    assert broken([*history, over], WITHIN) == []


def test_a_run_that_nobody_takes_from_its_ended_grant_is_named() -> None:
    stranded = Stranded(7, a_grant(1), at(15), at(40))
    assert said([stranded], WITHIN) == (
        "recovery: run 7 counts as running under token 1 of lease 'nightly', which has been over for 25 s, more than 16 s"
    )
    assert broken([stranded]) == broken([Stranded(7, a_grant(1), at(15), at(31))], WITHIN) == []


def test_violations_come_in_the_order_of_the_promises() -> None:
    history: list[Fact] = [*cut_off(60), written(1, 61), worked(1, 1, 61), granted(3, 62), granted(1, 80, "thief")]
    found = [violation.promise for violation in check(history, WITHIN)]
    assert found == sorted(found, key=list(Promise).index)
    assert set(found) == {Promise.TOKENS, Promise.OVERLAP, Promise.WRITES, Promise.CHILDREN, Promise.RECOVERY}
