"""By when success is expected: a duration after the instant, or a time of day by the schedule's own clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daemon.definitions.schedule import Schedule, read_schedule, write_schedule
from daemon.instants import format_instant, parse_instant


def nightly(**settings: Any) -> Schedule:
    return Schedule.model_validate({"name": "nightly", "cron": "0 2 * * *", **settings})


@pytest.mark.parametrize(
    ("timezone", "finish_by", "instant", "deadline"),
    [
        ("UTC", "4h", "2026-07-01T02:00:00Z", "2026-07-01T06:00:00Z"),
        ("UTC", "06:00", "2026-07-01T02:00:00Z", "2026-07-01T06:00:00Z"),
        ("UTC", "23:59:59", "2026-07-01T02:00:00Z", "2026-07-01T23:59:59Z"),
        ("UTC", "02:00", "2026-07-01T02:00:00Z", "2026-07-02T02:00:00Z"),  # after it, so on the next day
        ("UTC", "06:00", "2026-07-01T05:59:59.999999Z", "2026-07-01T06:00:00Z"),
        ("Europe/Berlin", "06:00", "2026-07-01T00:00:00Z", "2026-07-01T04:00:00Z"),
        ("America/New_York", "06:00", "2026-07-01T06:00:00Z", "2026-07-01T10:00:00Z"),
        # The clock skips from 2:00 to 3:00, and repeats the hour from 2:00.
        ("Europe/Berlin", "02:30", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "02:30", "2026-10-24T22:00:00Z", "2026-10-25T00:30:00Z"),
        ("Europe/Berlin", "02:30", "2026-10-25T00:45:00Z", "2026-10-26T01:30:00Z"),
        ("Europe/Berlin", "4h", "2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z"),  # elapsed time
        # The clock skips from 2:00 to 3:00, and repeats the hour from 1:00.
        ("America/New_York", "02:30", "2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z"),
        ("America/New_York", "01:30", "2026-11-01T04:30:00Z", "2026-11-01T05:30:00Z"),
    ],
)
def test_a_deadline_is_a_duration_after_the_instant_or_the_first_such_time_of_day_after_it(
    timezone: str, finish_by: str | float, instant: str, deadline: str
) -> None:
    found = nightly(timezone=timezone, finish_by=finish_by).finishes_by(parse_instant(instant))
    assert found is not None
    assert format_instant(found) == deadline


def test_without_finish_by_there_is_no_deadline_and_a_time_of_day_says_nothing_of_a_request() -> None:
    moment = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert nightly().finishes_by(moment) is None
    assert nightly(finish_by="06:00").finishes_by(moment, on_request=True) is None
    assert nightly(finish_by="4h").finishes_by(moment, on_request=True) == moment + timedelta(hours=4)


def test_a_deadline_beyond_the_end_of_the_calendar_is_none() -> None:
    last = datetime(9999, 12, 31, 23, tzinfo=UTC)
    assert nightly(finish_by="4h").finishes_by(last) is None
    assert nightly(finish_by="06:00").finishes_by(last) is None


def test_it_is_stored_in_one_spelling_and_is_no_change_of_timing_or_execution() -> None:
    assert [nightly(finish_by=text).stored()["finish_by"] for text in ("06:00", " 06:00:00 ", "4h", "06:00:01")] == [
        "06:00",
        "06:00",
        14_400.0,
        "06:00:01",
    ]
    plain, changed = nightly(), nightly(finish_by="06:00")
    assert "finish_by" not in plain.stored()
    assert (changed.timing(), changed.run_digest()) == (plain.timing(), plain.run_digest())
    assert read_schedule(write_schedule(changed)).finish_by == "06:00"
