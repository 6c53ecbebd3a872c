"""Cron expressions: what they say, and what is refused."""

import itertools
import time
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.definitions.triggers.cron import parse
from daemon.definitions.triggers.trigger import At, Cron, Every
from daemon.errors import InvalidCron

START = datetime(2026, 1, 1, tzinfo=UTC)
FIELDS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


def instants(expression: str, count: int, after: datetime = START) -> list[datetime]:
    return list(islice(Cron(expression).instants(after, zone=UTC, anchor=after), count))


def shown(expression: str, count: int, after: datetime = START) -> list[str]:
    return [f"{instant:%Y-%m-%d %H:%M:%S}" for instant in instants(expression, count, after)]


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("30 0 2 * * *", ["2026-01-01 02:00:30", "2026-01-02 02:00:30"]),
        ("@daily", ["2026-01-02 00:00:00", "2026-01-03 00:00:00"]),
        ("@YEARLY", ["2027-01-01 00:00:00", "2028-01-01 00:00:00"]),
        ("0 12 * JUN mon", ["2026-06-01 12:00:00", "2026-06-08 12:00:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00:00", "2032-02-29 00:00:00"]),
        ("0 0 * * fri-sun", ["2026-01-02 00:00:00", "2026-01-03 00:00:00"]),
        ("0 0 * * 7-1", ["2026-01-04 00:00:00", "2026-01-05 00:00:00"]),
        ("5-5 4-4 * * *", ["2026-01-01 04:05:00", "2026-01-02 04:05:00"]),
    ],
)
def test_an_expression_gives_these_instants(expression: str, first: list[str]) -> None:
    assert shown(expression, 2) == first


def test_either_day_field_matches_unless_one_begins_with_a_star_then_both_must() -> None:
    assert shown("0 0 13 * fri", 3) == ["2026-01-02 00:00:00", "2026-01-09 00:00:00", "2026-01-13 00:00:00"]
    assert shown("0 0 */13 * fri", 2) == ["2026-02-27 00:00:00", "2026-03-27 00:00:00"]
    assert shown("0 0 13 * */5", 2) == ["2026-02-13 00:00:00", "2026-03-13 00:00:00"]


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 l,1 * *", "31.1 1.2 28.2 1.3"),
        ("0 0 LW * *", "30.1 27.2 31.3 30.4 29.5 30.6"),
        ("0 0 1W,15w * *", "15.1 2.2 16.2 2.3 16.3 1.4"),  # 1 February and 1 March are Sundays
        ("0 0 * * FRIL", "30.1 27.2 27.3 24.4 29.5"),
        ("0 0 * * FRI#3", "16.1 20.2 20.3 17.4 15.5"),
        ("0 0 * * mon#1,wed", "5.1 7.1 14.1 21.1 28.1 2.2 4.2"),
        ("0 0 L * 1#1", "5.1 31.1 2.2 28.2"),  # either
        ("0 0 */5 * 5L", "26.6 31.7"),  # both
        ("0 0 L * */6", "31.1 28.2 31.5"),
        ("0 0 0 L * *", "31.1 28.2"),
    ],
)
def test_days_that_depend_on_the_month(expression: str, days: str) -> None:
    expected = days.split()
    found = instants(expression, len(expected))
    assert [f"{one.day}.{one.month}" for one in found] == expected
    assert {one.hour for one in found} == {0}


@pytest.mark.parametrize(("year", "month"), [*itertools.product((2023, 2024, 2026), range(1, 13))])
def test_days_that_depend_on_the_month_agree_with_a_calendar(year: int, month: int) -> None:
    dates = [date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1)]
    working = [one for one in dates if one.isoweekday() < 6]

    def allowed(days: str, weekdays: str) -> list[date]:
        return [one for one in dates if parse(f"0 0 {days} * {weekdays}").matches_date(one)]

    assert allowed("L", "*") == dates[-1:]
    assert allowed("LW", "*") == working[-1:]
    for day in range(1, 32):
        nearest = min(working, key=lambda one: abs(one.day - day))
        assert allowed(f"{day}W", "*") == ([nearest] if day <= len(dates) else [])
    for weekday in range(8):
        falls = [one for one in dates if one.isoweekday() % 7 == weekday % 7]
        assert allowed("*", f"{weekday}L") == falls[-1:]
        assert [allowed("*", f"{weekday}#{number}") for number in range(1, 6)] == [
            falls[number - 1 : number] for number in range(1, 6)
        ]


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("0 2 * *", '"0 2 * *" has 4 fields, but cron has 5 (minute, hour, '),
        ("0 0 0 1 1 * 2026", "has 7 fields"),
        ("0 0 31 2 *", '"0 0 31 2 *" never fires: no month of the field "2" has a day "31"; choose'),
        ("@reboot", '"@reboot": it is an event, not a time; to run something at boot, use the service'),
        ("@often", '"@often": it is unknown; use one of @hourly'),
        ("@every 5m", '"@every 5m": an interval is not cron; write every = "5m"'),
        ("@daily /bin/sync", 'after @daily, "/bin/sync" is not part of a time; a command belongs in a job'),
        ("CRON_TZ=Europe/Vienna 0 2 * * *", 'write cron = "0 2 * * *" and timezone = "Europe/Vienna"'),
        ("TZ=UTC", 'write timezone = "UTC"'),
        ("MAILTO=ops@example.org", "this sets a variable of a crontab; jobs get MAILTO with env = { MAILTO = … }"),
        ("0 4 * * * /bin/backup -q", 'after five fields, "/bin/backup" is not part of a time; a command belongs'),
        ("0 4 * * mon-fri root sync", 'after five fields, "root" is not part of a time; a command belongs in a job'),
        ("0 0 12 15W * ?", '"?" is not supported in the field day of week'),
        ("0 0 * * monday", '"monday" is not supported in the field day of week; names have three letters: write "mon"'),
        ("0 0 * june-july *", 'names have three letters: write "jun-jul"'),
        ("0 0 * * someday", '"someday" is not supported in the field day of week; numbers, names, *'),
        ("*/0 * * * *", "the step 0 does not fit into the field minute (0 to 59); write 1 or more"),
        ("0 0 L-3 * *", '"L-3" is not supported in the field day of month'),
        ("0 0 32W * *", "32 is out of range in the field day of month"),
        ("0 0 1#2 * *", '"1#2" is not supported in the field day of month'),
        ("L * * * *", '"L" is not supported in the field minute'),
        ("0 0 * * 15W", '"15W" is not supported in the field day of week'),
        ("0 0 * * 8L", "8 is out of range in the field day of week"),
        ("0 0 * * jan#1", '"jan" is not a value of the field day of week'),
        ("0 0 * * 5#6", '"5#6" is not a day of a month; use the numbers from 1 to 5'),
        ("0 0 * * 5#0", '"5#0" is not a day of a month'),
        ("0 0 31W 2,4 *", 'no month of the field "2,4" has a day "31W"'),
        ("0 0 */29 2 1L", 'no day "*/29" of the months "2" exists and is a day of the week "1L"'),
        ("60 * * * *", "60 is out of range in the field minute; it goes from 0 to 59"),
        ("0 0 0 * *", "0 is out of range in the field day of month"),
        ("0 0 1 0 *", "0 is out of range in the field month"),
        ("0 0 * * 8", "8 is out of range in the field day of week"),
        ("0 0 * mon *", '"mon" is not a value of the field month'),
        ("*/90 * * * *", "the step 90 does not fit into the field minute (0 to 59); for a longer interval use `every`"),
        ("0 22-2/2 * * *", 'ends before it starts; to continue from 23 to 0, write "22,0,2"'),
        ("10-5 * * * *", '"10-5" in the field minute ends before it starts; to continue from 59 to 0, write "10-59,'),
        ("0 0 * * fri-mon", 'to continue from 7 to 0, write "5-7,0-1"'),
        ("1,,2 * * * *", '"" is not supported'),
        ("\N{ARABIC-INDIC DIGIT FIVE} * * * *", "is not supported"),
    ],
)
def test_what_is_not_supported_is_refused_with_a_sentence(expression: str, sentence: str) -> None:
    with pytest.raises(InvalidCron) as caught:
        Cron(expression)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@st.composite
def field(draw: st.DrawFn, name: str) -> tuple[str, frozenset[int]]:
    """One field as text, and the values that it means."""
    first, last = FIELDS[name]
    value = st.integers(first, last)

    def spelled(number: int) -> str:
        names = {"month": ["", *MONTHS], "weekday": [*WEEKDAYS, "7"]}.get(name)
        return names[number] if names and draw(st.booleans()) else str(number)

    parts, allowed = [], set[int]()
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["star", "value", "range", "step", "star step", "range step"]))
        low, high = sorted((draw(value), draw(value)))
        step = draw(st.integers(1, last - first))
        start, end = (low % 7, 6) if name == "weekday" else (low, last)  # the week ends with Saturday; 7 is 0
        text, values = {
            "star": ("*", range(first, last + 1)),
            "value": (spelled(low), [low]),
            "range": (f"{spelled(low)}-{high}", range(low, high + 1)),
            "step": (f"{low}/{step}", range(start, end + 1, step)),
            "star step": (f"*/{step}", range(first, last + 1, step)),
            "range step": (f"{low}-{spelled(high) if high < 7 else high}/{step}", range(low, high + 1, step)),
        }[kind]
        parts.append(text)
        allowed.update(values)
    return ",".join(parts), frozenset(allowed)


EVERY_MONTH, EVERY_DAY = ("*", frozenset(range(1, 13))), ("*", frozenset(range(8)))
Meaning = tuple[str, frozenset[int]]


@given(
    fields=st.tuples(
        field("minute"),
        field("hour"),
        field("day"),
        st.just(EVERY_MONTH) | field("month"),
        st.just(EVERY_DAY) | field("weekday"),
    ),
    start=st.datetimes(datetime(1999, 1, 1), datetime(2090, 1, 1)),  # noqa: DTZ001 (hypothesis takes them so)
)
@pytest.mark.usefixtures("passing_seconds")
def test_matching_agrees_with_a_walk_from_minute_to_minute(
    fields: tuple[Meaning, Meaning, Meaning, Meaning, Meaning], start: datetime
) -> None:
    minute, hour, day, month, weekday = fields
    expression = " ".join(text for text, _ in fields)
    either = not day[0].startswith("*") and not weekday[0].startswith("*")

    def matches_date(one: date) -> bool:
        by_month, by_week = one.day in day[1], bool({one.isoweekday(), one.isoweekday() % 7} & weekday[1])
        return one.month in month[1] and ((by_month or by_week) if either else (by_month and by_week))

    if not any(matches_date(date(2000, 1, 1) + timedelta(days=number)) for number in range(41 * 366)):
        with pytest.raises(InvalidCron, match="never fires"):
            Cron(expression)
        return
    cron = Cron(expression)
    after = start.replace(tzinfo=UTC)
    end = after + timedelta(days=3)
    first = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    expected = [
        instant
        for number in range(3 * 1440)
        if (instant := first + timedelta(minutes=number)) < end
        and instant.minute in minute[1]
        and instant.hour in hour[1]
        and matches_date(instant.date())
    ]
    found = list(islice(cron.instants(after, zone=UTC, anchor=after), len(expected) + 1))
    assert found[: len(expected)] == expected
    assert found[len(expected)] >= end


def test_a_rare_instant_is_found_quickly() -> None:
    cron = Cron("0 0 29 2 *")
    began = time.process_time()
    for year in range(2026, 2126):
        next(cron.instants(datetime(year, 3, 1, tzinfo=UTC), zone=UTC, anchor=START))
    assert time.process_time() - began < 100 * 0.01


def test_a_hundred_thousand_instants_take_about_a_second_at_most() -> None:
    began = time.process_time()
    found = instants("* * * * *", 100_000)
    assert time.process_time() - began < 2
    assert found[-1] == START + timedelta(minutes=100_000)


def test_a_sequence_ends_with_the_calendar_instead_of_failing() -> None:
    assert list(Cron("* * * * *").instants(datetime(9999, 12, 31, tzinfo=UTC), zone=UTC, anchor=START)) == []
    late = datetime(9999, 12, 31, 23, 0, tzinfo=UTC)
    assert len(list(Every(1800.0).instants(late, zone=UTC, anchor=late))) == 1


def test_an_interval_counts_elapsed_time_from_its_anchor() -> None:
    after = START + timedelta(minutes=50)
    found = islice(Every(1800.0).instants(after, zone=UTC, anchor=START), 2)
    assert list(found) == [START + timedelta(minutes=60), START + timedelta(minutes=90)]


def test_an_instant_comes_once() -> None:
    assert list(At(START).instants(START - timedelta(days=1), zone=UTC, anchor=START)) == [START]
    assert list(At(START).instants(START, zone=UTC, anchor=START)) == []
