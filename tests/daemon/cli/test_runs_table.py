"""The rows of `leased runs` at a terminal and in a pipe, and the times in them. Pure."""

import io
import sys
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from daemon.cli.commands.reading.history import runs_table
from daemon.cli.screen import Times, drawable
from daemon.store.views.causes import Excluded, Overlapped, WaitsForRetry
from daemon.store.views.history import RunLine

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
EMPTY: dict[str, Any] = dict.fromkeys(field.name for field in fields(RunLine))
RUN = RunLine(
    **{
        **EMPTY,
        "run_id": 1,
        "application": "shop",
        "schedule": "poll",
        "scheduled_for": NOW - timedelta(seconds=24),
        "count": 1,
        "state": "succeeded",
        "attempt": 1,
        "crashes": 0,
    }
)
SKIPPED = replace(RUN, state="skipped", attempt=0, why=Overlapped(1, None))


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def rows(*found: RunLine, is_terminal: bool = True) -> list[list[str]]:
    """Return the rows that are shown of these runs, in words."""
    written = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", written)
        patch.setattr(written, "isatty", lambda: is_terminal)
        shown = runs_table(found, Times.of(NOW, utc=False), wide=False)
        Console(file=written, width=100, color_system=None).print(shown)
    return [line.split() for line in written.getvalue().splitlines()[1:]]


def skipped(run_id: int, seconds: int, **changed: Any) -> RunLine:
    return replace(SKIPPED, run_id=run_id, scheduled_for=NOW - timedelta(seconds=seconds), **changed)


def test_skipped_runs_of_one_schedule_and_cause_are_one_row_at_a_terminal_only() -> None:
    found = (skipped(4, 15), skipped(3, 18), skipped(2, 21), RUN)
    first, last = rows(*found)
    assert first[:6] == ["2-4", "poll", "15s-21s", "ago", "○", "skipped"]
    assert (first[6], last[0]) == ("x3", "1")
    assert [row[0] for row in rows(*found, is_terminal=False)] == ["4", "3", "2", "1"]


def test_those_of_another_cause_or_schedule_are_apart_even_where_their_numbers_alternate() -> None:
    other = {"schedule": "other"}
    found = (skipped(5, 10), skipped(4, 10, **other), skipped(3, 20, why=Excluded()), skipped(2, 20, **other), RUN)
    assert [row[:2] for row in rows(*found)] == [["5", "poll"], ["2…4", "other"], ["3", "poll"], ["1", "poll"]]


def test_a_run_that_was_resumed_shows_how_often_it_crashed() -> None:
    (row,) = rows(replace(RUN, attempt=3, crashes=2))
    assert row[-3:] == ["3", "(2", "crashes)"]


@pytest.mark.parametrize(
    ("away", "shown"),
    [
        (timedelta(seconds=-24), "24s ago"),
        (timedelta(hours=2), "in 2h"),
        (timedelta(days=-3), "Sun 14:00"),
        (timedelta(days=-30), "2026-06-01 14:00"),
    ],
)
@pytest.mark.usefixtures("in_berlin")
def test_a_time_that_is_near_is_relative_and_others_are_by_the_local_clock(away: timedelta, shown: str) -> None:
    assert Times(NOW, in_full=False)(NOW + away) == shown
    assert Times(NOW, in_full=True)(NOW + away).endswith("Z")


@pytest.mark.usefixtures("in_berlin")
def test_the_end_of_a_pause_is_by_the_clock_however_near_it_is() -> None:
    assert Times(NOW, in_full=False).by_clock(NOW + timedelta(hours=2)) == "Wed 16:00"


def test_symbols_have_a_plain_form_where_the_encoding_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    assert drawable("●✓✗○") == "*+x-"
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))
    assert drawable("●✓✗○") == "●✓✗○"


@pytest.mark.usefixtures("in_berlin")
def test_a_reason_has_its_times_by_the_local_clock_and_in_full_in_a_pipe() -> None:
    waits = replace(RUN, state="pending", attempt=1, why=WaitsForRetry(NOW + timedelta(minutes=5), "no route"))
    for is_terminal, moment in ((True, "Wed 14:05"), (False, "2026-07-01 12:05:00Z")):
        shown = " ".join(word for row in rows(waits, is_terminal=is_terminal) for word in row)
        assert f"waits for the retry at {moment}: no route" in shown
