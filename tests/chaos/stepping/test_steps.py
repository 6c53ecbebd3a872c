"""What a clock that steps showed when, and how far it steps."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice

import pytest

from tests.chaos.history import Clocks
from tests.chaos.judgement import TTL

from .steps import Step, SteppedClocks, Steps
from .walk import ASSUMED, FAR, GAIN, walk

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
