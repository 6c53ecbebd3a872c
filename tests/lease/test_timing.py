"""Durations as users write them, and the timing of a lease, which is made of them (rule 3)."""

import math
import sys
import time
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lease import Duration, InvalidDuration, InvalidTiming, LeaseTiming, clock, format_duration, parse_duration
from lease.durations import next_wait
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


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("15s", 15.0),
        ("40m", 2_400.0),
        ("2h30m", 9_000.0),
        ("2h 30m", 9_000.0),
        ("1d", 86_400.0),
        ("250ms", 0.25),
        ("1m500ms", 60.5),
        ("1.5h", 5_400.0),
        ("90", 90.0),
        ("0", 0.0),
        (90, 90.0),
        (1.5, 1.5),
        (0, 0.0),
        (timedelta(minutes=1, milliseconds=250), 60.25),
        (timedelta(), 0.0),
    ],
)
def test_a_duration_is_read(written: Duration, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        *("", " ", "s", "15 parsecs", "1h-5m", "1e3", "1,5h", "½h", "5S", "nan", "inf", "9" * 400 + "s", "5s\nDROP"),
        *(math.nan, math.inf, 10**400, True, False, None, b"5s", date(2026, 1, 1), [5]),
    ],
)
def test_what_is_no_duration_is_told_in_one_sentence(written: object) -> None:
    with pytest.raises(InvalidDuration, match='is not a duration; write it like "15s"') as refused:
        parse_duration(written)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 600
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize("written", [-1, -0.1, timedelta(seconds=-1), "-5s", "-1", " - 2h30m"])
def test_what_is_negative_is_told_that_no_duration_is(written: Duration) -> None:
    with pytest.raises(InvalidDuration, match='is not a duration, which is never negative; write it like "15s"'):
        parse_duration(written)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "0.25s"),
        (15, "15s"),
        (60, "1m"),
        (9_000, "2h30m"),
        (86_400, "1d"),
        (90_061, "1d1h"),
        (-5, "-5s"),
    ],
)
def test_a_duration_is_written_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(min_value=0, max_value=1e9))
def test_what_was_written_is_read_again_to_its_two_largest_parts(seconds: float) -> None:
    again = parse_duration(format_duration(seconds))
    unit = next((unit for unit in (86_400, 3_600, 60) if round(seconds) >= unit), 0)
    tolerance = {0: 0.01, 60: 1.0, 3_600: 60.0, 86_400: 3_600.0}[unit]
    assert abs(again - seconds) <= tolerance


@given(st.text(max_size=30))
def test_any_text_is_a_duration_or_is_refused(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except InvalidDuration:
        return
    assert seconds >= 0
    assert math.isfinite(seconds)


@given(st.floats(0.001, 60), st.floats(0.001, 600), st.integers(1, 70))
def test_a_wait_between_tries_doubles_from_the_first_and_has_a_cap(first: float, longest: float, tries: int) -> None:
    wait = 0.0
    for number in range(tries):
        wait = next_wait(wait, first, longest)
        assert wait == min(first * 2.0**number, longest)
