"""Days on which a schedule does not run: how they are written, and which instants fall on them by the local clock."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon import Schedules
from daemon.definitions.schedule import Schedule, due_pieces, preview_schedule, read_schedule, write_schedule
from daemon.definitions.sources.load import load
from daemon.definitions.values.calendars import Calendar, covering, parts
from daemon.errors import DefinitionError
from daemon.instants import parse_instant

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
NOON = datetime(2026, 12, 20, 12, tzinfo=UTC)
TOML = """
application = "shop"
[calendars.holidays]
dates = [2026-12-26, "12-25", "2026-12-24"]
[defaults]
timezone = "Europe/Berlin"
exclude = "holidays"
[schedules.by-default]
cron = "0 2 * * *"
jobs = [{ name = "a", command = "true" }]
[schedules.own]
cron = "0 2 * * *"
exclude = ["holidays", "2026-11-29"]
jobs = [{ name = "a", command = "true" }]
[schedules.none]
cron = "0 2 * * *"
exclude = []
jobs = [{ name = "a", command = "true" }]
"""


def nightly(**settings: Any) -> Schedule:
    return Schedule.model_validate({"name": "nightly", "cron": "0 2 * * *", **settings})


def excluded(schedule: Schedule, *instants: str) -> list[str | None]:
    return [schedule.excluded_by(parse_instant(instant)) for instant in instants]


@pytest.mark.parametrize(
    ("timezone", "day", "first", "last"),
    [
        ("UTC", "2026-12-25", "2026-12-25T00:00:00Z", "2026-12-25T23:59:59Z"),
        ("Europe/Berlin", "2026-12-25", "2026-12-24T23:00:00Z", "2026-12-25T22:59:59Z"),
        ("America/New_York", "12-25", "2026-12-25T05:00:00Z", "2026-12-26T04:59:59Z"),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z"),
        ("America/New_York", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T04:59:59Z"),
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z", "2026-04-24T20:59:59Z"),  # it begins at 1:00
        ("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T04:59:59Z"),  # 0:30 comes twice
    ],
)
def test_a_day_is_one_of_the_schedules_own_clock_however_long_it_is(
    timezone: str, day: str, first: str, last: str
) -> None:
    schedule = nightly(timezone=timezone, exclude=[day])
    begin, end = parse_instant(first), parse_instant(last)
    second = timedelta(seconds=1)
    around = (begin - second, begin, end, end + second)
    assert [schedule.excluded_by(instant) for instant in around] == [None, day, day, None]
    found = list(schedule.parts(begin - HOUR, end + HOUR))
    assert [(part.excluded, part.after, part.until) for part in found] == [
        (False, begin - HOUR, begin - TICK),
        (True, begin - TICK, end + second - TICK),
        (False, end + second - TICK, end + HOUR),
    ]


def test_dates_ranges_and_days_of_every_year_are_taken_and_the_calendar_is_named() -> None:
    schedule = nightly(exclude=["2026-12-24..2026-12-26", "02-29", {"freeze": ["2027-01-04"]}, date(2026, 7, 1)])
    assert excluded(schedule, "2026-12-23T23:59:59Z", "2026-12-24T00:00:00Z", "2026-12-26T23:59:59Z") == [
        None,
        *["2026-12-24..2026-12-26"] * 2,
    ]
    assert excluded(schedule, "2028-02-29T12:00:00Z", "2027-02-28T12:00:00Z", "2027-03-01T12:00:00Z") == [
        "02-29",
        None,
        None,
    ]
    assert excluded(schedule, "2027-01-04T12:00:00Z", "2026-07-01T12:00:00Z") == ["freeze", "2026-07-01"]


def test_the_order_and_the_kind_of_list_in_which_days_are_written_is_no_change() -> None:
    written: list[Any] = [
        ["12-25", "2026-01-01", "12-25"],
        {"2026-01-01", "12-25"},
        [" 2026-01-01 ", date(2024, 12, 25).isoformat()[5:]],
        {date(2026, 1, 1): "New Year", "12-25": "Christmas"}.keys() | set(),
    ]
    assert len({nightly(exclude=days).digest for days in written}) == 1
    assert nightly(exclude="12-25") == nightly(exclude=["12-25"])
    assert nightly(exclude=[]) == nightly()


def test_a_file_resolves_the_calendars_that_its_schedules_name(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(TOML)
    application = load(tmp_path / "shop.toml")
    holidays = {"holidays": ["12-25", "2026-12-24", "2026-12-26"]}
    stored = [schedule.stored().get("exclude") for schedule in application.schedules]
    assert stored == [[holidays], ["2026-11-29", holidays], None]
    assert application.defaults["exclude"] == [holidays]
    assert all(read_schedule(write_schedule(one)).exclude == one.exclude for one in application.schedules)


def test_python_gives_calendars_their_names_with_the_application() -> None:
    days = {date(2026, 12, 25): "Christmas", date(2027, 1, 1): "New Year"}
    schedules = Schedules("shop", calendars={"holidays": days, "freeze": ["2026-12-28..2026-12-30"]}, exclude="freeze")

    @schedules.cron("0 2 * * *", exclude=["holidays", "freeze"])
    def nightly(run: Any) -> None: ...

    schedules.add("hourly", cron="0 * * * *").command("a", "true")
    assert [one.stored()["exclude"] for one in schedules.application().schedules] == [
        [{"freeze": ["2026-12-28..2026-12-30"]}, {"holidays": ["2026-12-25", "2027-01-01"]}],
        [{"freeze": ["2026-12-28..2026-12-30"]}],
    ]


def test_a_calendar_decides_neither_the_timing_nor_what_a_run_executes() -> None:
    """Rules 13 and 22: a change of it moves no planning, and adopts no run."""
    plain, changed = nightly(), nightly(exclude=["12-25"])
    assert changed.digest != plain.digest
    assert (changed.timing(), changed.run_digest()) == (plain.timing(), plain.run_digest())


def test_excluded_instants_are_shown_among_the_next_ones() -> None:
    schedule = nightly(timezone="Europe/Berlin", exclude=[{"holidays": ["2026-12-25"]}])
    found = preview_schedule(schedule, datetime(2026, 12, 24, tzinfo=UTC), 3)
    assert [(f"{one.local:%d %H:%M}", one.excluded) for one in found] == [
        ("24 02:00", None),
        ("25 02:00", "holidays"),
        ("26 02:00", None),
    ]


def test_python_refuses_calendars_that_are_no_table() -> None:
    with pytest.raises(DefinitionError, match=r'^calendars: "12-25" is not a table of names and days; give cal'):
        Schedules("shop", calendars="12-25")  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match=r"^calendars.x: 12 is not a list of days; write "):
        Schedules("shop", calendars={"x": 12})  # type: ignore[dict-item]


def by_hand(schedule: Schedule, after: datetime, until: datetime) -> list[tuple[bool, datetime]]:
    due = takewhile(lambda instant: instant <= until, schedule.instants(after, after))
    return [(schedule.excluded_by(instant) is not None, instant) for instant in due]


DAYS = st.lists(
    st.one_of(
        st.dates(date(2026, 3, 20), date(2026, 4, 5)).map(str),
        st.dates(date(2026, 3, 20), date(2026, 4, 5)).map(lambda day: f"{day}..{day + timedelta(days=3)}"),
    ),
    max_size=4,
)


@given(
    days=DAYS,
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    trigger=st.sampled_from(
        [{"cron": "*/20 * * * *"}, {"cron": "0 0,12 * * *"}, {"every": 5400.0}, {"cron": "30 2 * * *"}]
    ),
    span=st.tuples(st.integers(0, 24 * 20), st.integers(1, 24 * 20)),
    newest=st.sampled_from([1, 5, 40, 500]),
)
@pytest.mark.usefixtures("passing_seconds")
def test_pieces_have_each_instant_once_and_the_newest_that_may_run_one_by_one(
    days: Sequence[str], timezone: str, trigger: dict[str, Any], span: tuple[int, int], newest: int
) -> None:
    """Rule 13."""
    schedule = Schedule.model_validate({"name": "any", "timezone": timezone, "exclude": days, **trigger})
    after = datetime(2026, 3, 18, tzinfo=UTC) + span[0] * HOUR
    until = after + span[1] * HOUR
    left = by_hand(schedule, after, until)
    enumerated = 0
    for piece in due_pieces(schedule, after, until, after, newest=newest, newest_excluded=10):
        if piece.older is not None:
            counted, left = left[: piece.older.count], left[piece.older.count :]
            assert {is_excluded for is_excluded, _ in counted} == {piece.excluded}
            assert (counted[0][1], counted[-1][1]) == (piece.older.first, piece.older.last)
        expected, left = left[: len(piece.instants)], left[len(piece.instants) :]
        assert expected == [(piece.excluded, instant) for instant in piece.instants]
        enumerated += 0 if piece.excluded else len(piece.instants)
    assert left == []
    ordinary = sum(not is_excluded for is_excluded, _ in by_hand(schedule, after, until))
    assert enumerated >= min(newest, ordinary)


def test_without_a_calendar_time_is_one_part_and_no_day_is_excluded() -> None:
    zone = ZoneInfo("Europe/Berlin")
    (part,) = parts((), NOON, NOON + 9_000 * HOUR, zone)
    assert (part.excluded, part.after, part.until) == (False, NOON, NOON + 9_000 * HOUR)
    assert covering((), NOON.date()) is None
    assert list(parts((Calendar(("12-25",)),), NOON, NOON, zone)) == []
