"""Two timings are the same if they mean the same, however they are written (rule 13)."""

from typing import Any

import pytest

from daemon.definitions.definition import Mark
from daemon.definitions.schedule import Schedule


def timing(**settings: Any) -> dict[str, Any]:
    return Schedule(name="nightly", **settings).timing()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0 2 * * *", "  0   2 * *  * "),
        ("0 2 * * *", "0 0 2 * * *"),
        ("0 0 * * *", "@daily"),
        ("0 0 1 jan *", "@YEARLY"),
        ("@midnight", "@DAILY"),
        ("0 9 * * 0", "0 9 * * 7"),
        ("0 9 * * mon-fri", "0 9 * * 5,4,3,2,1,1"),
        ("0 9 * * sat-sun", "0 9 * * 0,6"),
        ("*/15 * * * *", "0,15,30,45 * * * *"),
        ("0 9 1-31 * *", "0 9 * 1-12 0-7"),
        ("0 9 1-31 * mon", "0 9 * * *"),
        ("0 9 30,31 4 *", "0 9 30 4 *"),
        ("0 9 L 4 *", "0 9 30 4 *"),
        ("0 9 l * *", "0 9 31,L * *"),
        ("0 9 * * FRI#3", "0 9 * * 5#3"),
        ("0 9 * * 1#1,1#2,1#3,1#4,1#5", "0 9 * * 1"),
    ],
)
@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin"])
def test_cron_expressions_of_one_meaning_are_the_same_timing(one: str, other: str, timezone: str) -> None:
    assert timing(cron=one, timezone=timezone) == timing(cron=other, timezone=timezone)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0 2 * * *", "0 3 * * *"),
        ("0 2 * * *", "1 0 2 * * *"),
        ("0 9 13 * fri", "0 9 */13 * fri"),
        ("0 9 13 * fri", "0 9 13 * *"),
        ("0 9 31 1-4 mon", "0 9 31 1,3 mon"),
        ("0 9 L 2 *", "0 9 28,29 2 *"),
        ("0 9 L * *", "0 9 LW * *"),
        ("0 9 * * 5L", "0 9 * * 5#4"),
    ],
)
def test_cron_expressions_of_two_meanings_are_two_timings(one: str, other: str) -> None:
    assert timing(cron=one) != timing(cron=other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Europe/Kiev", "Europe/Kyiv"), ("US/Eastern", "America/New_York"), ("Asia/Calcutta", "Asia/Kolkata")],
)
def test_two_names_of_a_time_zone_are_the_same_timing(one: str, other: str) -> None:
    assert timing(cron="0 2 * * *", timezone=one) == timing(cron="0 2 * * *", timezone=other)


def test_two_time_zones_that_differ_today_or_only_in_summer_are_two_timings() -> None:
    zones = ("Europe/Berlin", "Europe/London", "Africa/Lagos", "Europe/Kyiv")
    found = [timing(cron="0 2 * * *", timezone=zone) for zone in zones]
    assert all(one != other for number, one in enumerate(found) for other in found[:number])


def test_how_it_is_written_counts_where_the_clock_repeats_an_hour_and_the_star_has_a_meaning() -> None:
    star, listed = "*/30 2 * * *", "0,30 2 * * *"
    assert timing(cron=star, timezone="Europe/Berlin") != timing(cron=listed, timezone="Europe/Berlin")
    assert timing(cron=star, timezone="UTC") == timing(cron=listed, timezone="Etc/UTC")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"every": 90}, {"every": "90s"}),
        ({"every": 90}, {"every": "1m 30s"}),
        ({"every": 90}, {"every": 90.0, "timezone": "Europe/Berlin"}),
        ({"at": "2030-01-01T00:00:00Z"}, {"at": "2030-01-01T02:00:00+02:00"}),
        ({"at": "2030-01-01T00:00:00Z"}, {"at": "2030-01-01 00:00:00.000z", "timezone": "Asia/Tokyo"}),
        (
            {"every": 1, "starts": "2030-01-01T00:00:00Z", "ends": "2031-01-01T00:00:00Z"},
            {"every": 1, "starts": "2029-12-31T19:00:00-05:00", "ends": "2031-01-01T05:30:00+05:30"},
        ),
        ({"on_request": True}, {"on_request": True, "timezone": "Europe/Berlin", "finish_by": "4h"}),
        ({"every": 1}, {"every": 1, "on_request": False}),
        ({"every": 1}, {"every": 1, "enabled": True, "overlap": "queue", "description": "x", "params": {"a": 1}}),
    ],
)
def test_durations_and_instants_of_one_meaning_are_the_same_timing(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert timing(**one) == timing(**other)


OTHERS: dict[str, dict[str, Any]] = {
    "cron": {"cron": "0 3 * * *"},
    "every": {"every": 90},
    "at": {"at": "2030-01-01T00:00:00Z"},
    "on_request": {"on_request": True},
    "timezone": {"cron": "0 2 * * *", "timezone": "Europe/Berlin"},
    "starts": {"cron": "0 2 * * *", "starts": "2030-01-01T00:00:00Z"},
    "ends": {"cron": "0 2 * * *", "ends": "2030-01-01T00:00:00Z"},
    "enabled": {"cron": "0 2 * * *", "enabled": False},
}


@pytest.mark.parametrize("setting", Schedule.settings(Mark.TIMING))
def test_each_setting_of_the_timing_makes_another(setting: str) -> None:
    assert timing(**OTHERS[setting]) != timing(cron="0 2 * * *")
