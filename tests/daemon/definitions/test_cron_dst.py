"""Daylight saving time: a fixed time runs once, right after a gap or when it is shown first; all else goes on with elapsed
time. And what was missed long ago is counted without enumerating it, and the count is right (rule 13).
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.definitions.schedule import Schedule, preview_schedule
from daemon.definitions.triggers import wall_time
from daemon.definitions.triggers.cron import parse
from daemon.definitions.triggers.trigger import Cron
from daemon.definitions.triggers.wall_time import Tally

MINUTE = timedelta(minutes=1)


def due(expression: str, zone: str, first: str, last: str) -> list[str]:
    """Return what is due from one local day to another, both included, in local time with its offset."""
    timezone = ZoneInfo(zone)
    start = datetime.fromisoformat(first).replace(tzinfo=timezone).astimezone(UTC)
    end = (datetime.fromisoformat(last) + timedelta(days=1)).replace(tzinfo=timezone).astimezone(UTC)
    found = Cron(expression).instants(start - timedelta(seconds=1), zone=timezone, anchor=start)
    local = (instant.astimezone(timezone) for instant in takewhile(lambda instant: instant < end, found))
    return [f"{one:%d %H:%M}{one:%z}" for one in local]


def test_a_time_in_the_gap_runs_once_right_after_it() -> None:
    assert due("30 2 * * *", "Europe/Berlin", "2026-03-28", "2026-03-30") == [
        "28 02:30+0100",
        "29 03:00+0200",
        "30 02:30+0200",
    ]


def test_several_times_in_one_gap_run_once() -> None:
    assert due("0,20,40 2 * * *", "Europe/Berlin", "2026-03-29", "2026-03-29") == ["29 03:00+0200"]


def test_a_time_in_the_gap_and_one_at_its_end_are_one() -> None:
    assert due("0 2,3,4 * * *", "America/New_York", "2026-03-08", "2026-03-08") == ["08 03:00-0400", "08 04:00-0400"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 * * * *", ["29 00:30+0100", "29 01:30+0100", "29 03:30+0200", "29 04:30+0200"]),
        ("*/40 * * * *", ["29 00:00+0100", "29 00:40+0100", "29 01:00+0100", "29 01:40+0100", "29 03:00+0200"]),
        ("20 */2 * * *", ["29 00:20+0100", "29 04:20+0200", "29 06:20+0200"]),
        ("30 0 */2 * * *", ["29 00:00+0100", "29 04:00+0200", "29 06:00+0200"]),
        ("*/10 2 * * *", []),
    ],
)
def test_a_wildcard_goes_on_with_elapsed_time_through_a_gap_and_gets_no_extra_run(
    expression: str, expected: list[str]
) -> None:
    assert due(expression, "Europe/Berlin", "2026-03-29", "2026-03-29")[: max(len(expected), 1)] == expected


def test_a_fixed_time_runs_once_when_the_clock_repeats_it_the_first_time() -> None:
    assert due("30 2 * * *", "Europe/Berlin", "2026-10-25", "2026-10-25") == ["25 02:30+0200"]
    assert due("30 1 * * *", "America/New_York", "2026-11-01", "2026-11-01") == ["01 01:30-0400"]
    assert due("0,30 1-3 * * *", "Europe/Berlin", "2026-10-25", "2026-10-25") == [
        "25 01:00+0200",
        "25 01:30+0200",
        "25 02:00+0200",
        "25 02:30+0200",
        "25 03:00+0100",
        "25 03:30+0100",
    ]


def test_a_wildcard_goes_on_with_elapsed_time_when_the_clock_repeats_an_hour() -> None:
    assert due("*/30 * * * *", "Europe/Berlin", "2026-10-25", "2026-10-25")[4:8] == [
        "25 02:00+0200",
        "25 02:30+0200",
        "25 02:00+0100",
        "25 02:30+0100",
    ]
    assert due("15 * * * *", "America/New_York", "2026-11-01", "2026-11-01")[1:3] == ["01 01:15-0400", "01 01:15-0500"]
    assert len(due("* * * * *", "Europe/Berlin", "2026-10-25", "2026-10-25")) == 25 * 60


def test_lord_howe_moves_its_clock_by_half_an_hour() -> None:
    assert due("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", "2026-10-04") == ["04 02:30+1100"]
    assert due("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", "2026-04-05") == ["05 01:45+1100"]
    assert due("45 */1 * * *", "Australia/Lord_Howe", "2026-04-05", "2026-04-05")[1:3] == [
        "05 01:45+1100",
        "05 01:45+1030",
    ]


@pytest.mark.parametrize(
    ("zone", "day", "right_after"),
    [("America/Sao_Paulo", "2018-11-04", "04 01:00-0200"), ("Asia/Beirut", "2026-03-29", "29 01:00+0300")],
)
def test_a_gap_at_midnight_does_not_swallow_the_day(zone: str, day: str, right_after: str) -> None:
    assert due("0 0 * * *", zone, day, day) == [right_after]
    assert due("@monthly", zone, day, day) == []


def test_midnight_that_is_shown_twice_on_two_dates_stays_in_order() -> None:
    # St. John's put its clock back at 00:01, to 23:01 of the day before.
    found = due("*/30 * * * *", "America/St_Johns", "2010-11-06", "2010-11-07")
    assert found[46:52] == [
        "06 23:00-0230",
        "06 23:30-0230",
        "07 00:00-0230",
        "06 23:30-0330",
        "07 00:00-0330",
        "07 00:30-0330",
    ]
    assert due("0 0 * * *", "America/St_Johns", "2010-11-07", "2010-11-07") == ["07 00:00-0230"]


def test_a_whole_day_that_is_skipped_runs_once_right_after_it() -> None:
    assert due("0 9 * * *", "Pacific/Apia", "2011-12-29", "2011-12-31") == [
        "29 09:00-1000",
        "31 00:00+1400",
        "31 09:00+1400",
    ]
    assert due("0 9 30 12 *", "Pacific/Apia", "2011-12-29", "2011-12-31") == ["31 00:00+1400"]


@pytest.mark.parametrize(
    ("expression", "zone", "after"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00+00:00"),  # the first pass is over, the second to come
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:15:00+00:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00+00:00"),  # the end of the gap itself
        ("0 9 * * *", "Pacific/Apia", "2011-12-30T10:00:00+00:00"),
    ],
)
def test_starting_in_the_middle_of_a_change_gives_the_same_instants(expression: str, zone: str, after: str) -> None:
    start, timezone = datetime.fromisoformat(after), ZoneInfo(zone)
    long_before = Cron(expression).instants(start - timedelta(days=30), zone=timezone, anchor=start)
    expected = next(instant for instant in long_before if instant > start)
    assert next(Cron(expression).instants(start, zone=timezone, anchor=start)) == expected


ZONES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-10-04", "2026-04-05"),
    "America/Sao_Paulo": ("2018-11-04", "2018-02-18"),
    "Asia/Beirut": ("2026-03-29", "2026-10-25"),
    "America/St_Johns": ("2010-03-14", "2010-11-07"),
    "Pacific/Apia": ("2011-12-30", "2011-04-02"),
    "Africa/Casablanca": ("2026-02-15", "2026-03-22"),
    "Pacific/Kwajalein": ("1993-08-21", "1969-10-01"),
    "Antarctica/Troll": ("2026-03-29", "2026-10-25"),
    "UTC": ("2026-03-29", "2026-10-25"),
}
CHANGES = [(zone, day) for zone, days in ZONES.items() for day in days]


def reference(cron: Cron, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Look at the clock on the wall each minute, as a person would."""
    previous = (start - MINUTE).astimezone(zone).replace(tzinfo=None)
    highest = previous
    instant = start
    while instant < end:
        wall = instant.astimezone(zone).replace(tzinfo=None)
        skipped = highest + MINUTE
        is_due = False
        while skipped < wall:
            is_due = is_due or (cron.pattern.fixed and cron.pattern.matches(skipped))
            skipped += MINUTE
        if cron.pattern.matches(wall) and (wall > highest or not cron.pattern.fixed):
            is_due = True
        if is_due:
            yield instant
        highest = max(highest, wall)
        instant += MINUTE


@pytest.mark.usefixtures("passing_seconds")
@given(
    change=st.sampled_from(CHANGES),
    fields=st.tuples(
        st.sampled_from(["0", "1", "30", "15,45", "*", "*/7", "*/30", "0-10"]),
        st.sampled_from(["*", "*/2", "0", "1", "2", "0-3", "1,2,3", "22-23,0-1", "9"]),
        st.sampled_from(["*", "*/2", "29", "30", "1-7", "20-31", "L", "LW"]),
        st.just("*"),
        st.sampled_from(["*", "0", "6,0", "1-5", "0L", "0#1"]),
    ),
    begin=st.integers(0, 4 * 1440),
)
@settings(max_examples=40)  # each takes as long as a hundred of most
def test_any_change_of_the_clock_agrees_with_a_watch_on_the_wall(
    change: tuple[str, str], fields: tuple[str, ...], begin: int
) -> None:
    zone, cron = ZoneInfo(change[0]), Cron(" ".join(fields))
    middle = datetime.fromisoformat(f"{change[1]}T00:00:00+00:00")
    start, end = middle - timedelta(days=4), middle + timedelta(days=3)
    after = middle - timedelta(days=2) + begin * MINUTE
    expected = [instant for instant in reference(cron, zone, start, end) if instant > after]
    found = cron.instants(after, zone=zone, anchor=after)
    assert list(takewhile(lambda instant: instant < end, found)) == expected


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        (
            "30 2 * * *",
            datetime(2026, 3, 28, tzinfo=UTC),
            [
                ("2026-03-28 02:30 +0100", None),
                ("2026-03-29 03:00 +0200", "skipped by the clock, runs right after the gap"),
            ],
        ),
        (
            "30 2 * * *",
            datetime(2026, 10, 24, 12, tzinfo=UTC),
            [("2026-10-25 02:30 +0200", "repeated hour, first time"), ("2026-10-26 02:30 +0100", None)],
        ),
        (
            "0 * * * *",
            datetime(2026, 10, 24, 23, 30, tzinfo=UTC),
            [
                ("2026-10-25 02:00 +0200", "repeated hour, first time"),
                ("2026-10-25 02:00 +0100", "repeated hour, second time"),
                ("2026-10-25 03:00 +0100", None),
            ],
        ),
    ],
)
def test_what_the_clock_skips_or_repeats_is_marked(
    expression: str, after: datetime, expected: list[tuple[str, str | None]]
) -> None:
    found = preview_schedule(Schedule(name="n", cron=expression, timezone="Europe/Berlin"), after, len(expected))
    assert [(f"{one.local:%Y-%m-%d %H:%M %z}", one.note) for one in found] == expected
    assert all(one.instant == one.local.astimezone(UTC) for one in found)


def test_a_schedule_is_shown_within_its_bounds() -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    schedule = Schedule(name="n", every=3600.0, ends=noon + timedelta(hours=2))
    found = preview_schedule(schedule, noon, 5)
    assert [one.instant.hour for one in found] == [13, 14]
    assert [one.instant.minute for one in preview_schedule(schedule, noon, 1, noon - timedelta(minutes=15))] == [45]


NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
YEAR = timedelta(days=365)


def sought(schedule: Schedule, after: datetime, until: datetime, least: int) -> tuple[Tally | None, list[datetime]]:
    """Return what is counted, and what is left to be enumerated."""
    older = schedule.older(after, until, least, after)
    left = schedule.instants(older.last if older else after, after)
    return older, list(takewhile(lambda instant: instant <= until, left))


@pytest.mark.parametrize(
    ("settings", "due"),
    [
        ({"cron": "* * * * *"}, 525_600),
        ({"cron": "* * * * * *", "timezone": "Europe/Berlin"}, 31_536_000),
        ({"every": 0.1}, 315_360_000),
        ({"every": 7.5, "starts": NOON - 2 * YEAR, "ends": NOON - YEAR / 2}, 2_102_400),
    ],
)
def test_a_year_is_counted_within_a_moment(settings: dict[str, Any], due: int) -> None:
    schedule = Schedule(name="often", **settings)
    began = time.process_time()
    older, left = sought(schedule, NOON - YEAR, NOON, 2_000)
    assert time.process_time() - began < 1
    assert older is not None
    assert 2_000 <= len(left) <= 2_000 + 86_400
    assert older.count + len(left) == due


def test_where_little_was_missed_nothing_is_counted() -> None:
    assert sought(Schedule(name="nightly", cron="0 2 * * *"), NOON - YEAR, NOON, 2_000)[0] is None
    assert sought(Schedule(name="often", every=60), NOON - 2_000 * MINUTE, NOON, 2_000)[0] is None
    assert sought(Schedule(name="once", at=NOON - MINUTE), NOON - YEAR, NOON, 0)[0] is None
    assert sought(Schedule(name="off", every=60, enabled=False), NOON - YEAR, NOON, 0) == (None, [])


@pytest.mark.usefixtures("passing_seconds")
@given(
    change=st.sampled_from(CHANGES),
    fields=st.tuples(
        st.sampled_from(["0", "1", "30", "15,45", "*", "*/7", "*/30", "0-10"]),
        st.sampled_from(["*", "*/2", "0", "1", "2", "0-3", "1,2,3", "22-23,0-1", "9", "*/1"]),
        st.sampled_from(["*", "*/2", "29", "30", "1-7", "20-31"]),
    ),
    begin=st.integers(0, 3 * 1440),
    length=st.integers(0, 3 * 1440),
)
def test_any_change_of_the_clock_is_counted_as_it_is_enumerated(
    change: tuple[str, str], fields: tuple[str, ...], begin: int, length: int
) -> None:
    zone, pattern = ZoneInfo(change[0]), parse(" ".join((*fields, "*", "*")))
    after = datetime.fromisoformat(f"{change[1]}T00:00:00+00:00") + (begin - 2 * 1440) * MINUTE
    until = after + length * MINUTE
    due = list(takewhile(lambda instant: instant <= until, wall_time.matches_of(pattern, after, zone)))
    for tally in wall_time.tallies_of(pattern, after, until, zone):
        counted, due = due[: tally.count], due[tally.count :]
        assert (counted[0], counted[-1], len(counted)) == (tally.first, tally.last, tally.count)
    assert due == []
