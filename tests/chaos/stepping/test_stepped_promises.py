"""What is promised where the database's clock steps: each broken promise is named."""

import json
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from pathlib import Path

import pytest

from lease.model import Grant
from lease.timing import LeaseTiming
from tests.chaos.history import Clocks
from tests.chaos.judgement import TTL
from tests.checker import Promise
from tests.checker.facts import Fact, GrantBegan, GrantRenewed, RunClaimed, RunMarked, Worked

from .promises import (
    Report,
    false_reports,
    granted_while_live,
    in_true_time,
    outlived,
    reports,
    second_holders,
    unreported,
)
from .steps import ASSUMED, FAR, GAIN, Step, SteppedClocks, Steps, walk

START = datetime.now(UTC)
FIRST, SECOND = Grant("a", 1, "one"), Grant("a", 2, "two")
FORWARD, BACK = Step(10.0, 60.0), Step(20.0, -60.0)


def clocks(*steps: Step) -> SteppedClocks:
    """Return clocks by which the machine booted now."""
    return SteppedClocks.of(Clocks(START.timestamp(), START.timestamp()), Steps(steps))


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def granted(second: float) -> list[Fact]:
    """Return a grant of 15 s, and the next one."""
    return [GrantBegan(FIRST, at(0), at(15)), GrantBegan(SECOND, at(second), at(second + 15))]


def test_a_lease_is_stale_from_the_moment_at_which_the_clock_showed_its_end() -> None:
    first, renewed = in_true_time([granted(10.5)[0], GrantRenewed(FIRST, at(21), at(36))], clocks(FORWARD, BACK))
    assert isinstance(first, GrantBegan)
    assert isinstance(renewed, GrantRenewed)
    assert (first.until, renewed.until) == (at(10), at(36))


def test_what_replaces_a_run_started_when_it_was_claimed_and_not_when_its_row_says() -> None:
    claims = [RunClaimed(9, Grant("daily", token, "anna"), at(when)) for token, when in ((5, 12), (6, 14))]
    mark = RunMarked(7, "daily", at(10), "cancelled", at(99), replaced_by=9, newer_start=at(11))
    *_, told = in_true_time([*claims, mark], clocks(), {7: at(11.5)})
    assert isinstance(told, RunMarked)
    assert (told.ended, told.newer_start) == (at(11.5), at(12))


def test_one_that_is_granted_while_it_is_live_again_is_named() -> None:
    assert list(granted_while_live(granted(10.5), clocks(FORWARD))) == []
    assert list(granted_while_live(granted(15.5), clocks())) == []
    back_at_once = clocks(Step(5.0, 60.0), Step(6.0, -60.0))
    (found,) = granted_while_live(granted(10.0), back_at_once)
    assert found.promise is Promise.OVERLAP


def test_work_that_outlives_its_holders_own_clock_is_named_and_early_holders_are_counted() -> None:
    timing = LeaseTiming(15)
    worked = Worked(FIRST, at(0), at(timing.give_up + timing.kill_time))
    assert list(outlived([*granted(10.5), worked], timing)) == []
    (found,) = outlived([*granted(10.5), Worked(FIRST, at(0), at(14))], timing)
    assert second_holders([found]) == ([], 1)


def test_what_replicas_say_of_steps_is_compared_with_them(tmp_path: Path) -> None:
    log = tmp_path / "north-1.log"
    said = {"message": "the database's clock stepped", "seconds": 59.9, "timestamp": at(10.4).isoformat()}
    log.write_text(f"up\n{json.dumps(said)}\n")
    renewals = [
        GrantRenewed(Grant("a", 1, who), at(when), at(99)) for who in ("one", "two") for when in (9.9, 10.4, 20.5)
    ]
    (told,) = reports([("north", log)], clocks(FORWARD, BACK))
    assert list(false_reports([told], [FORWARD, BACK])) == []
    assert list(false_reports([Report("north", 21.0, 0.3)], [FORWARD, BACK])) == [], "it heard of both at once"
    assert list(false_reports([Report("north", 21.0, 60.0)], [BACK])) == [
        "replica north said that the database's clock had stepped by 60 s, which it had not"
    ]
    assert list(unreported([FORWARD], [told], renewals, {"one", "two"}, clocks(FORWARD))) == []
    assert list(unreported([FORWARD], [], renewals, {"one", "two"}, clocks(FORWARD))) == [FORWARD]
    assert list(unreported([FORWARD], [], renewals, {"one"}, clocks(FORWARD))) == [], "only one was there"


# What a clock that steps showed when, and how far it steps


FORWARD_AND_BACK = Steps([Step(10.0, 60.0), Step(20.0, -90.0)])
"""It is 60 s ahead from 10 to 20, and 30 s behind from then on."""


@pytest.mark.parametrize(
    ("since", "until", "shown"),
    [(0, 9, 9), (9, 10, 70), (12, 15, 75), (15, 25, 80), (20, 25, -5), (0, 200, 170)],
)
def test_the_furthest_that_it_showed_in_a_span(since: float, until: float, shown: float) -> None:
    assert FORWARD_AND_BACK.latest(since, until) == shown


@pytest.mark.parametrize(
    ("shown", "since", "moment"),
    [(5, 0, 5), (5, 7, 7), (50, 0, 10), (75, 0, 15), (75, 21, 105), (100, 0, 130), (69, 20, 99)],
)
def test_the_first_moment_at_which_it_showed_something(shown: float, since: float, moment: float) -> None:
    assert FORWARD_AND_BACK.first(shown, since) == moment


def test_a_clock_that_does_not_step_shows_the_time() -> None:
    assert Steps().latest(1.0, 2.0) == 2.0
    assert Steps().first(2.0, 1.0) == 2.0
    clocks = SteppedClocks.of(Clocks(1_000.0, 900.0), Steps())
    at = datetime.fromtimestamp(1_050.0, UTC)
    assert (clocks.boot(at), clocks.furthest(at), clocks.stale_from(at, at - timedelta(9))) == (150.0, at, at)


def test_a_reading_may_be_from_just_before_a_step_back() -> None:
    clocks = SteppedClocks.of(Clocks(0.0, 0.0), FORWARD_AND_BACK)
    assert clocks.reading(20.4) == 80
    assert clocks.reading(20.6) == pytest.approx(-9.4)
    just_before = datetime.fromtimestamp(79.9, UTC)
    assert clocks.is_past(just_before, 19.95)
    assert not clocks.is_past(just_before, 20.2)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_assumed_is_kept_in_each_ttl(seed: int) -> None:
    steps = list(islice(walk("kept", seed), 500))
    assert all(0 < abs(step.seconds) <= ASSUMED + 1e-3 and step.stands > TTL for step in steps)
    assert {step.seconds > 0 for step in steps} == {True, False}
    assert max(abs(ahead) for ahead in accumulate(step.seconds for step in steps)) < 3


@pytest.mark.parametrize("seed", range(5))
def test_what_is_broken_is_far_beyond_it_and_does_not_stay_behind(seed: int) -> None:
    steps = list(islice(walk("broken", seed), 500))
    assert all(abs(step.seconds) >= FAR[0] - 1 for step in steps)
    ahead = list(accumulate(step.seconds for step in steps))
    furthest = list(accumulate(ahead, max))
    assert max(furthest) <= sum(step.stands for step in steps) * GAIN + FAR[1]
    behind = sum(step.stands for step, now, most in zip(steps, ahead, furthest, strict=True) if now < most)
    assert 0.1 < behind / sum(step.stands for step in steps) < 0.6
