"""Durations as users write them."""

import math
from datetime import time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lease import Duration, InvalidDuration, format_duration, parse_duration
from lease.durations import next_wait


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
        *(math.nan, math.inf, 10**400, True, False, None, b"5s", time(0, 5), [5]),
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
