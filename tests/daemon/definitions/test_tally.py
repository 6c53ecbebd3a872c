"""What was missed long ago is counted without enumerating it, and the count is right (rule 13)."""

import time
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.definitions.schedule import Schedule
from daemon.definitions.triggers import wall_time
from daemon.definitions.triggers.cron import parse
from daemon.definitions.triggers.wall_time import Tally
from tests.daemon.definitions.test_cron_dst import CHANGES

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
MINUTE = timedelta(minutes=1)


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
