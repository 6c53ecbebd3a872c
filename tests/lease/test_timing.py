"""The timing of a lease (rule 3)."""

import math
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lease import InvalidTiming, LeaseTiming, clock
from lease.timing import LEAST_TTL


def test_the_default_is_that_of_rule_3() -> None:
    timing = LeaseTiming()
    assert (timing.ttl, timing.renew_every, timing.give_up) == (15.0, 2.5, 10.0)
    assert (timing.attempt_timeout, timing.retry_wait, timing.kill_time) == (2.0, 0.25, 3.0)
    assert timing.tolerated_outage == 5.25
    assert LeaseTiming() == timing


@pytest.mark.parametrize(("kept", "expected"), [(7, 5.0), (None, 6.0)], ids=["since the start", "without suspension"])
def test_time_counts_from_the_start_of_the_machine_where_that_can_be_read(
    monkeypatch: pytest.MonkeyPatch, kept: int | None, expected: float
) -> None:
    """A machine that has slept trusts no lease of before."""
    monkeypatch.setattr(clock, "_CLOCK", kept)
    monkeypatch.setattr(time, "clock_gettime", lambda which: {7: 5.0}[which])
    monkeypatch.setattr(time, "monotonic", lambda: 6.0)
    assert clock.boottime() == expected


@pytest.mark.skipif(sys.platform != "linux", reason="this is about Linux")
def test_on_linux_time_that_the_machine_was_suspended_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "clock_gettime", {time.CLOCK_BOOTTIME: 5.0}.__getitem__)
    assert clock.boottime() == 5.0


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"attempt_timeout": 0.0}, r"attempt_timeout is 0s \(of a ttl of 15s\), but an attempt may have to connect"),
        ({"attempt_timeout": 0.199}, "raise it to that"),
        ({"ttl": "0.5s"}, r"attempt_timeout is 0.07s \(of a ttl of 0.5s\).*raise .* ttl to 1.5s"),
        ({"ttl": 1.49}, "ttl to 1.5s"),
        ({"renew_every": 0.0}, "renew_every is 0"),
        (
            {"renew_every": 6.0},
            r"renew_every \+ 2 x attempt_timeout \+ retry_wait is 10.25s, more than give_up \(10s\): one failed renewal",
        ),
        ({"attempt_timeout": 4.0}, "one failed renewal would lose the lease"),
        ({"retry_wait": 3.75}, "one failed renewal would lose the lease"),
        ({"give_up": 6.7}, "one failed renewal would lose the lease"),
        (
            {"kill_time": 5.0},
            r"give_up \+ kill_time is 15s, not less than ttl \(15s\): the work could outlive the lease",
        ),
        ({"ttl": 13.0, "give_up": 10.0, "kill_time": 3.0}, "the work could outlive the lease"),
        ({"ttl": 0}, "attempt_timeout is 0s"),
        ({"give_up": 12.0}, "the work could outlive the lease"),
        ({"ttl": -1.0}, "ttl: -1.0 is not a duration"),
        ({"give_up": math.nan}, "give_up: nan is not a duration"),
        ({"ttl": math.inf}, "ttl: inf is not a duration"),
        ({"ttl": "30d1s"}, r"ttl is 30d1s, more than 30d: .* lower it"),
        ({"ttl": "3650d", "attempt_timeout": 2}, "ttl is 3650d, more than 30d"),
        ({"retry_wait": -0.1}, "retry_wait: -0.1 is not a duration"),
        ({"kill_time": "soon"}, "kill_time: 'soon' is not a duration"),
    ],
)
def test_each_inequality_of_rule_3_is_checked_and_told(broken: dict[str, float], says: str) -> None:
    with pytest.raises(InvalidTiming, match=says) as refused:
        LeaseTiming(**broken)
    assert "\n" not in str(refused.value)
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize(
    "fitting",
    [
        {"renew_every": 5.75},
        {"kill_time": 4.99},
        {"retry_wait": 0.0},
        {"kill_time": 0.0},
        {"ttl": 1.5},
        {"ttl": "30d"},
        {"attempt_timeout": 0.2},
    ],
)
def test_what_just_fits_is_taken(fitting: dict[str, float]) -> None:
    LeaseTiming(**fitting)


@given(st.floats(min_value=LEAST_TTL, max_value=1e6))
def test_the_ttl_alone_scales_the_others_and_always_fits(ttl: float) -> None:
    timing = LeaseTiming(ttl=ttl)
    assert timing.ttl == ttl
    assert timing.renew_every == pytest.approx(ttl / 6)
    assert timing.tolerated_outage > 0


@pytest.mark.parametrize("ttl", ["2m", "1d", "30d"])
def test_however_long_the_ttl_an_attempt_its_retry_and_a_kill_take_seconds_unless_given(ttl: str) -> None:
    timing = LeaseTiming(ttl)
    assert (timing.attempt_timeout, timing.retry_wait, timing.kill_time) == (5.0, 1.0, 10.0)
    given = LeaseTiming(ttl, attempt_timeout=10, retry_wait=2, kill_time=20)
    assert (given.attempt_timeout, given.retry_wait, given.kill_time) == (10.0, 2.0, 20.0)
    assert (given.give_up, given.renew_every) == (timing.give_up, timing.renew_every)


def test_durations_are_taken_as_text() -> None:
    assert LeaseTiming("1m", renew_every="5s", kill_time=0).ttl == 60.0
    assert LeaseTiming("30s").renew_every == 5.0
    assert LeaseTiming("30s") == LeaseTiming(30)
