"""What a replica's facts look like: as lines, on a terminal, and in the log."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from rich.console import Console

from daemon.cli.progress import PlainView, ProgressView
from daemon.telemetry.log_watcher import LogWatcher, log_lease_event
from daemon.telemetry.logs import set_up_logs
from daemon.telemetry.watcher import NoWatcher, Watcher
from daemon.text import ago, clean, lasted, number
from lease.events import AtRisk, Lost, Renewed
from lease.model import Grant, Loss, LossKind

GRANT = Grant("run/shop/nightly", 3, "h")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def tell(watcher: Watcher) -> None:
    watcher.run_started("nightly", 7, 3)
    watcher.job_started("nightly", "zones", 7, 3)
    watcher.job_progress("nightly", "zones", 1200, 5000, "Europe/Berlin")
    watcher.job_output("nightly", "zones", "\x1b[31mred\x1b]0;title\x07")
    watcher.job_ended("nightly", "zones", "failed", 1.5, "Traceback\nValueError: oh")
    watcher.run_ended("nightly", 7, "failed", "zones failed", 3)
    watcher.note("bye")


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    root = logging.getLogger()
    before = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = before


def test_without_a_terminal_each_fact_is_a_line() -> None:
    written = io.StringIO()
    with PlainView(Console(file=written, highlight=False)) as view:
        tell(view)
    assert written.getvalue().splitlines() == [
        "nightly: run 7 begins, token 3",
        "  zones: 1,200 of 5,000, Europe/Berlin",
        "  zones |  [31mred ]0;title ",
        "  zones: failed in 1.5s: ValueError: oh",
        "nightly: run 7 failed (zones failed)",
        "bye",
    ]
    assert view.ended == {7: "failed"}


def test_lines_about_progress_keep_their_distance() -> None:
    clock, written = Clock(), io.StringIO()
    view = PlainView(Console(file=written), clock)
    for done in range(9):
        clock.now = done * 0.5
        view.job_progress("nightly", "zones", done, None, None)
    assert written.getvalue().split() == ["zones:", "0", "zones:", "4", "zones:", "8"]


def test_on_a_terminal_bars_go_and_lines_stay() -> None:
    written = io.StringIO()
    with ProgressView(Console(file=written, force_terminal=True, width=100, highlight=False)) as view:
        tell(view)
        view.job_progress("nightly", "nobody-knows", 1, None, None)
    text = written.getvalue()
    assert "run 7 begins, token 3" in text
    assert "zones: failed in 1.5s: ValueError: oh" in text
    assert "\x1b]0;title" not in text
    assert view.ended == {7: "failed"}


def test_somebody_who_watches_nothing_takes_everything() -> None:
    tell(NoWatcher())


@pytest.mark.usefixtures("logged")
def test_facts_are_log_lines_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("json", "debug")
    tell(LogWatcher())
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["message"] for line in lines] == [
        "run started",
        "job started",
        "output",
        "job failed",
        "run failed",
        "bye",
    ]
    assert lines[3]["level"] == "warning"
    assert (lines[3]["job"], lines[3]["error"], lines[4]["reason"]) == ("zones", "ValueError: oh", "zones failed")
    assert lines[0]["timestamp"].endswith("Z")


@pytest.mark.usefixtures("logged")
def test_lease_events_are_log_lines_by_their_gravity(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("json", "info")
    log_lease_event(Renewed((GRANT,), 9.5, 0.01))
    log_lease_event(AtRisk((GRANT,), "database unreachable", 4.0))
    log_lease_event(Lost(Loss(GRANT, LossKind.ENDED, "stolen by x with token 4")))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["level"], line["message"]) for line in lines] == [
        ("warning", "leases at risk"),
        ("warning", "lease lost"),
    ]
    assert (lines[0]["names"], lines[0]["remaining"]) == ([GRANT.name], 4.0)
    assert (lines[1]["lease"], lines[1]["token"], lines[1]["cause"]) == (GRANT.name, 3, "stolen by x with token 4")


@pytest.mark.usefixtures("logged")
def test_libraries_log_through_the_same_formatter(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("text", "info")
    logging.getLogger("leased.job").info("fetched %s", 3, extra={"job": "zones"})
    logging.getLogger("sqlalchemy.engine").info("SELECT 1")
    (line,) = capsys.readouterr().err.splitlines()
    assert "fetched 3" in line
    assert "job=zones" in line


def test_texts_for_people() -> None:
    assert clean("a\x1b[2Jb\nc") == "a [2Jb c"
    assert clean("a\nb\tc\x07", lines=True) == "a\nb\tc "
    assert [number(12345), number(0.5)] == ["12,345", "0.50"]
    assert [ago(None), ago(0.2), ago(65), ago(-65)] == ["", "now", "1m5s ago", "in 1m5s"]
    assert [lasted(None), lasted(1.234), lasted(12.34)] == ["", "1.23s", "12.3s"]
