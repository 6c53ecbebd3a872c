"""The output on stdout: states in colour, other values as they are; tables, and the rows of `leased runs`."""

import io
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from rich.console import Console

from daemon.cli.commands.reading.history import runs_table
from daemon.cli.screen import Sheet, State, Times, drawable, say, screen, state_cell
from daemon.states import JobState, ReplicaState, RunState
from daemon.store.views.causes import Excluded, Overlapped, WaitsForRetry
from daemon.store.views.history import RunLine

STATES = {state for states in (RunState, JobState, ReplicaState) for state in get_args(states)}


def drawn(*cells: object) -> str:
    written = io.StringIO()
    shown = Sheet(*("" for _ in cells))
    shown.add(*cells)
    Console(file=written, force_terminal=True, color_system="standard", width=80).print(shown)
    return written.getvalue()


@pytest.mark.parametrize("state", sorted(STATES))
def test_every_state_has_a_colour(state: State) -> None:
    assert state_cell(state).style
    assert f"m{state} (attempt 2)" in drawn(state_cell(state, " (attempt 2)"))


def test_a_schedule_that_is_named_like_a_state_has_no_colour() -> None:
    assert "\x1b[31mfailed" in drawn(state_cell("failed"))
    assert "\x1b[31m" not in drawn("failed")


def test_a_console_goes_on_where_it_was_while_a_job_in_its_process_redirects(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console, of_job = screen(stderr=True), io.StringIO()
    with redirect_stdout(of_job), redirect_stderr(of_job):
        console.print("failed")
    assert (capsys.readouterr().err, of_job.getvalue()) == ("failed\n", "")


# A table on a screen

NAME = "nightly-full-sync-of-everything"
INSTANT = "2026-11-26 07:33:37Z"
REASON = 'job "orders" failed: exited with status 1, and said no more'


def a_table() -> Sheet:
    shown = Sheet(
        "run",
        "application",
        "schedule",
        "started",
        "reason",
        "token",
        right=("run",),
        wraps=("reason",),
        spare=("token", "started"),
    )
    shown.add(1, "shop", NAME, INSTANT, REASON, "4711")
    return shown


def on(width: int, shown: Sheet) -> list[str]:
    written = io.StringIO()
    Console(file=written, width=width).print(shown)
    return [line.rstrip() for line in written.getvalue().splitlines()]


@pytest.mark.parametrize("width", [112, 100, 87, 80, 70])
def test_a_narrow_one_breaks_no_name_and_no_instant_and_leaves_out_what_can_be_spared(width: int) -> None:
    lines = on(width, a_table())
    assert max(map(len, lines)) <= width
    assert NAME in lines[1]
    assert ("TOKEN" in lines[0], INSTANT in lines[1]) == (width >= 83, width >= 76)
    at = lines[0].index("REASON")
    assert " ".join(line[at : at + len(REASON)].partition("  ")[0].strip() for line in lines[1:]) == REASON


@pytest.mark.parametrize("width", [100, 80, 70, 62])
def test_what_may_be_wrapped_is_wrapped_between_names_and_instants(width: int) -> None:
    shown = Sheet("run", "changed", "reason", wraps=("changed", "reason"))
    shown.add(1, f"1 added ({NAME})", f"missed: no replica was running from {INSTANT} to {INSTANT}")
    heads, *lines = on(width, shown)
    assert heads.split() == ["RUN", "CHANGED", "REASON"]
    assert ("\n".join(lines).count(NAME), "\n".join(lines).count(INSTANT)) == (1, 2)


def test_a_word_that_is_longer_than_any_name_is_broken_rather_than_the_table() -> None:
    shown = Sheet("run", "reason", wraps=("reason",))
    shown.add(1, "x" * 100)
    assert [len(line) for line in on(80, shown)[1:]] == [80, 5 + 25]


def test_a_column_without_any_text_is_left_out_before_one_that_says_something() -> None:
    shown = Sheet("run", "holder", "progress of it", spare=("holder",))
    shown.add(1, "web-1:4711", "")
    assert [on(width, shown)[0].split()[1:] for width in (40, 20)] == [["HOLDER", "PROGRESS", "OF", "IT"], ["HOLDER"]]


def test_wide_letters_take_their_place() -> None:
    shown = Sheet("job", "state")
    for job in ("東京", "zones"):
        shown.add(job, "failed")
    assert on(80, shown)[1:] == ["東京   failed", "zones  failed"]


@pytest.mark.parametrize(("is_terminal", "lines"), [(True, 3), (False, 1)])
def test_a_sentence_is_in_lines_that_fit_the_terminal_and_in_one_line_of_a_pipe(is_terminal: bool, lines: int) -> None:
    written = io.StringIO()
    console = Console(file=written, width=40, force_terminal=is_terminal, color_system=None)
    say(console, f"no replica was running from {INSTANT} on; `leased run FILE` starts a replica", hang=2)
    shown = written.getvalue().splitlines()
    assert (len(shown), max(map(len, shown)) <= 40) == (lines, is_terminal)
    assert all(unit in written.getvalue() for unit in (INSTANT, "`leased run FILE`"))


def test_one_that_is_too_narrow_for_any_row_has_a_record_for_each() -> None:
    assert [line.split(maxsplit=1) for line in on(50, a_table())[:3]] == [
        ["RUN", "1"],
        ["SCHEDULE", NAME],
        ["STARTED", INSTANT],
    ]


def test_a_row_that_goes_on_with_the_one_before_does_so_in_its_record() -> None:
    shown = Sheet("schedule", "next")
    for name, moment in ((NAME, INSTANT), ("", INSTANT), ("other", INSTANT)):
        shown.add(name, moment)
    assert [line.rpartition("  ")[0].strip() for line in on(45, shown)] == [
        "SCHEDULE",
        "NEXT",
        "",
        "",
        "SCHEDULE",
        "NEXT",
    ]
    assert on(45, shown)[2].strip() == INSTANT


def test_in_a_file_one_long_cell_pushes_aside_only_what_follows_in_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    shown = Sheet("run", "reason", "took", wraps=("reason",))
    long = "no such customer " * 1_000
    shown.add(1, "drained", "5s")
    shown.add(2, long, "6s")
    screen().print(shown)
    heads, first, second = written.getvalue().splitlines()
    assert max(map(len, (heads, first))) < 300
    assert heads.index("TOOK") == first.index("5s")
    assert second == f"2    {long}  6s", "whole, and on one line"


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
