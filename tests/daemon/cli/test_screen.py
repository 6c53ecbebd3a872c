"""The output on stdout: states in colour, other values as they are; tables, and the rows of `leased runs`."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from rich.console import Console

from daemon.cli.commands.reading.history import runs_table
from daemon.cli.screen import Sheet, State, Times, drawable, screen, state_cell
from daemon.states import JobState, ReplicaState, RunState
from daemon.store.views.causes import Excluded, Overlapped
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


def test_one_that_is_too_narrow_for_any_row_has_a_record_for_each_with_all_that_it_says() -> None:
    lines = on(50, a_table())
    assert [line.split(maxsplit=1) for line in lines[:2]] == [["RUN", "1"], ["SCHEDULE", NAME]]
    assert " ".join(" ".join(lines).split()).endswith(f"REASON {REASON} TOKEN 4711"), "broken between words, not cut"


def test_wide_letters_take_their_place() -> None:
    shown = Sheet("job", "state")
    for job in ("東京", "zones"):
        shown.add(job, "failed")
    assert on(80, shown)[1:] == ["東京   failed", "zones  failed"]


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


def test_symbols_have_a_plain_form_where_the_encoding_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    assert drawable("●✓✗○") == "*+x-"
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))
    assert drawable("●✓✗○") == "●✓✗○"
