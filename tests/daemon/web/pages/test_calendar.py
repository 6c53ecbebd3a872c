"""The calendar of a schedule: what its days came to, and when it is due. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from daemon.definitions.schedule import Schedule
from daemon.states import RunState
from daemon.store.views.lately import Happened
from daemon.web.pages.drawing.calendar import CalendarDay, PauseEnd, calendar, next_due

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 10, 24, 2, 47, tzinfo=BERLIN)
"""Saturday; on Sunday the clock goes back."""


def days(settings: dict[str, Any], *happened: Happened, now: datetime = NOW, **more: Any) -> list[CalendarDay]:
    made = Schedule.model_validate({"name": "nightly", "timezone": "Europe/Berlin", **settings})
    zone = more.pop("zone", BERLIN)
    return list(calendar(made, datetime(2026, 10, 1, tzinfo=UTC), zone, now, happened, **more))


def shown(day: CalendarDay, zone: ZoneInfo = BERLIN) -> list[str]:
    return [f"{one.instant.astimezone(zone):%H:%M %Z}" for one in day.coming.due]


def was(state: RunState, day: int, hour: int, *, reason: str | None = None, count: int = 1) -> Happened:
    at = datetime(2026, 10, day, hour, tzinfo=BERLIN)
    return Happened(1, at, at, state, reason, count, 60.0)


def test_two_weeks_are_shown_from_monday_with_what_the_clock_does() -> None:
    found = days({"cron": "30 2 * * *"}, was("running", 24, 2), was("failed", 20, 2), was("succeeded", 19, 2))
    assert [day.label for day in found] == [
        *("Mon 19", "Tue 20", "Wed 21", "Thu 22", "Fri 23", "Sat 24", "Sun 25"),
        *("Mon 26", "Tue 27", "Wed 28", "Thu 29", "Fri 30", "Sat 31", "Sun 1 Nov"),
    ]
    assert [day.when for day in found] == ["past"] * 5 + ["today"] + ["coming"] * 8
    assert [[one.state for one in day.past.runs] for day in found[:6]] == [
        ["succeeded"],
        ["failed"],
        [],
        [],
        [],
        ["running"],
    ]
    assert shown(found[6]) == ["02:30 CEST"]
    assert found[6].coming.due[0].note == "repeated hour, first time"
    assert found[6].clock == "the clock goes back 1\N{NO-BREAK SPACE}h"
    assert (shown(found[7]), found[7].clock, shown(found[5])) == (["02:30 CET"], None, [])


def test_what_an_hour_that_the_clock_skips_does_is_said() -> None:
    found = days({"cron": "30 2 * * *"}, now=datetime(2027, 3, 26, 12, tzinfo=BERLIN))
    sunday = found[6]
    assert (shown(sunday), sunday.clock) == (["03:00 CEST"], "the clock goes forward 1\N{NO-BREAK SPACE}h")
    assert sunday.coming.due[0].note == "skipped by the clock, runs right after the gap"


def test_a_schedule_that_is_due_often_is_counted() -> None:
    found = days(
        {"every": 60.0},
        *(was("succeeded", 22, 1) for _ in range(9)),
        was("skipped", 22, 9, reason="missed", count=1200),
    )
    assert found[7].coming.more == 1440
    assert (found[6].coming.more, found[7].coming.first) == (1500, None)
    assert dict(found[3].past.counts) == {"succeeded": 9, "missed": 1200}
    today = found[5].coming
    assert (today.more, today.first, today.last) == (
        1272,
        datetime(2026, 10, 24, 2, 48, tzinfo=BERLIN),
        datetime(2026, 10, 24, 23, 59, tzinfo=BERLIN),
    )


def test_days_that_are_excluded_name_what_excludes_them() -> None:
    found = days({"cron": "0 2 * * *", "exclude": ["2026-10-26", {"stocktaking": ["2026-11-01"]}]})
    assert [(day.coming.excluded, day.coming.runs) for day in found[7:]] == [
        ("2026-10-26", False),
        *[(None, True)] * 5,
        ("stocktaking", False),
    ]
    often = days({"every": 60.0, "exclude": ["2026-10-26"]})[7].coming
    assert (often.excluded, often.left_out, often.runs) == ("2026-10-26", 1440, False)


def test_what_a_pause_will_skip_is_marked() -> None:
    until = datetime(2026, 10, 27, tzinfo=BERLIN)
    assert [day.coming.is_paused for day in days({"cron": "0 2 * * *"}, pause=PauseEnd(until))[5:9]] == [
        False,
        True,
        True,
        False,
    ]
    assert all(day.coming.is_paused for day in days({"every": 60.0}, pause=PauseEnd(None))[5:])


def test_days_are_those_of_the_zone_that_is_chosen() -> None:
    found = days({"cron": "30 0 * * *"}, zone=ZoneInfo("UTC"))
    assert [shown(day, ZoneInfo("UTC")) for day in found[5:7]] == [["22:30 UTC"], ["23:30 UTC"]]
    assert found[5].coming.due[0].instant.astimezone(BERLIN).day == 25


@pytest.mark.parametrize("is_cut", [False, True])
def test_days_before_what_was_looked_at_are_not_taken_for_empty(is_cut: bool) -> None:
    found = days({"every": 60.0}, was("succeeded", 23, 9), is_cut=is_cut)
    assert [day.past.is_partial for day in found] == [is_cut] * 5 + [False] * 9


def test_the_next_times_are_those_that_are_not_excluded() -> None:
    made = Schedule.model_validate({"name": "a", "cron": "0 4 1 1 *", "exclude": ["2027-01-01"]})
    assert [one.instant.year for one in next_due(made, NOW, NOW, 2)] == [2028, 2029]
    assert next_due(Schedule.model_validate({"name": "a", "every": 1.0}), NOW, NOW - timedelta(1), 1)[0].instant > NOW
