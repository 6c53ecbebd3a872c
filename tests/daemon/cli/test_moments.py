"""Dates and times of day where an instant is asked for: what each means, in which zone, and what is said of it."""

from datetime import UTC, datetime, timedelta

import pytest

from daemon.cli.failures import Misused
from daemon.cli.options import instant, moment
from daemon.instants import format_instant
from daemon.operations import typed_moment
from tests.support.store import Store, a_schedule

from .conftest import Leased

NOW = datetime(2026, 6, 15, 16, 30, tzinfo=UTC)
"""18:30 in Berlin."""


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed_moment, "_now", lambda: NOW)


def read(text: str, zone: str = "Europe/Berlin", *, past: bool = False, to_end: bool = False) -> str:
    return format_instant(instant("--at", text, lambda: zone, past=past, to_end=to_end))


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("today", "2026-06-14T22:00:00Z"),
        ("tomorrow", "2026-06-15T22:00:00Z"),
        ("Yesterday 9:15", "2026-06-14T07:15:00Z"),
        ("tomorrow 02:00:30", "2026-06-16T00:00:30Z"),
        ("19:00", "2026-06-15T17:00:00Z"),
        ("18:00", "2026-06-16T16:00:00Z"),
        ("18:00Z", "2026-06-15T18:00:00Z"),
        ("18:00 America/New_York", "2026-06-15T22:00:00Z"),
        ("2026-12-01", "2026-11-30T23:00:00Z"),
        ("2026-12-01 02:00", "2026-12-01T01:00:00Z"),
        ("2026-12-01T02:00:05", "2026-12-01T01:00:05Z"),
        ("2026-12-01 02:00+05:30", "2026-11-30T20:30:00Z"),
        ("2026-12-01 02:00 UTC", "2026-12-01T02:00:00Z"),
        ("2026-12-01T02:00:00-03:00", "2026-12-01T05:00:00Z"),
    ],
)
def test_what_names_no_time_zone_is_read_in_that_of_the_schedule(text: str, means: str) -> None:
    assert read(text) == means


def test_a_time_of_day_is_the_next_one_or_the_last_one_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert read("18:00") == "2026-06-16T16:00:00Z"
    assert read("19:00", past=True) == "2026-06-14T17:00:00Z"
    assert read("18:00", past=True) == "2026-06-15T16:00:00Z"
    assert capsys.readouterr().err.splitlines() == [
        "--at 18:00 is 2026-06-16 18:00:00+02:00 (Europe/Berlin): 18:00 has passed today",
        "--at 19:00 is 2026-06-14 19:00:00+02:00 (Europe/Berlin): 19:00 today is still to come",
        "--at 18:00 is 2026-06-15 18:00:00+02:00 (Europe/Berlin)",
    ]


def test_a_time_that_the_clock_skips_is_an_error_and_of_one_that_it_shows_twice_the_first_is_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As a fixed time of a cron expression is due once, the first time. A day that has no midnight begins after it."""
    with pytest.raises(Misused, match=r"\(the clock skips 02:30 on 2027-03-28 in Europe/Berlin\)"):
        read("2027-03-28 02:30")
    assert read("2026-10-25 02:30") == "2026-10-25T00:30:00Z"
    assert "the clock shows that time twice, and this is the first" in capsys.readouterr().err
    assert read("2026-04-24", "Africa/Cairo") == "2026-04-23T22:00:00Z"


def test_a_date_as_the_end_of_a_span_includes_that_day() -> None:
    assert read("2026-10-25", to_end=True) == "2026-10-25T22:59:59.999999Z", "it has 25 hours"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorow",
        "2026-02-30",
        "24:00",
        "18:60",
        "0001-01-01",
        "9999-12-31 23:59-05:00",
        "18:00+99:00",
        "1800",
        "20261201",
    ],
)
def test_what_is_no_moment_is_one_sentence(text: str) -> None:
    with pytest.raises(Misused, match=r"^--at: [^\n]*(is not a time|is too early|is not an offset)"):
        moment("--at", text if text != "1800" else "18.00.00", lambda: "Europe/Berlin")


def test_a_duration_stays_one_and_an_instant_asks_for_no_zone() -> None:
    def no_zone() -> str:
        raise AssertionError

    assert moment("--until", "2h30m", no_zone) == timedelta(hours=2.5)
    assert moment("--until", "2026-12-01T02:00:00Z", no_zone) == datetime(2026, 12, 1, 2, tzinfo=UTC)
    assert moment("--until", "18:00+02:00", no_zone) == datetime(2026, 6, 16, 16, tzinfo=UTC)


@pytest.fixture
def store(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(typed_moment, "_now", lambda: datetime.now(UTC))
    monkeypatch.setenv("TZ", "UTC")
    store.sync(a_schedule("nightly", timezone="Asia/Tokyo", tags=("jp",)))
    return store


def test_every_command_that_asks_for_an_instant_takes_a_date(leased: Leased, store: Store) -> None:
    """The full instant goes to stderr, and with --json nothing does."""
    for arguments, in_tokyo in (
        (("pause", "nightly", "--until", "2126-01-02 03:04"), "--until 2126-01-02 03:04 is 2126-01-02 03:04:00+09:00"),
        (("trigger", "nightly", "--at", "2126-01-02"), "--at 2126-01-02 is 2126-01-02 00:00:00+09:00 (Asia/Tokyo)"),
        (("activity", "--schedule", "nightly", "--since", "yesterday"), "+09:00 (Asia/Tokyo)"),
        (("activity", "--since", "yesterday"), "+00:00 (UTC)"),
        (("status", "nightly", "--since", "yesterday 0:00"), "+09:00 (Asia/Tokyo)"),
        (("status", "--since", "0:00"), "+00:00 (UTC)"),
        (("pause", "--tag", "jp", "--until", "2126-01-02"), "2126-01-02 00:00:00+00:00 (UTC)"),
        (("preview", "@daily", "--from", "2126-01-02", "--timezone", "Asia/Tokyo"), "2126-01-02 00:00:00+09:00"),
    ):
        answer = leased(*arguments)
        assert (answer.status, answer.err.count("\n")) == (0, 1), answer.err
        assert in_tokyo in answer.err
        assert leased(*arguments, "--json").err == ""
    assert (
        leased("pause", "nightly", "--until", "2126-01-02 03:04", "--json").document["items"][0]["paused_until"]
        == "2126-01-01T18:04:00Z"
    )
    span = ("--from", "2126-01-02", "--to", "2126-01-03")
    backfill = leased("backfill", "nightly", *span, "--dry-run")
    assert backfill.err.startswith(
        "--from 2126-01-02 is 2126-01-02 00:00:00+09:00 (Asia/Tokyo)\n--to 2126-01-03 is 2126-01-03 23:59:59"
    )
    retried = leased("retry", "--failed", "--since", "yesterday", "--dry-run")
    assert "+00:00 (UTC)" in retried.err
