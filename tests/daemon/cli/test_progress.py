"""What `leased run` shows: lines, and bars and what is due next on a terminal."""

import gc
import io
import logging
import os
import re
import signal
import sys
import weakref
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from daemon.cli.commands.run import LastingConsole, _is_watched
from daemon.cli.load_file import keep_what_is_loaded
from daemon.cli.progress import LiveView, PlainView, ProgressView
from daemon.service.outside.outside import Outside, SupervisorLink
from daemon.service.settings import read_settings
from daemon.telemetry.fact_log import log_fact
from daemon.telemetry.facts import (
    Fact,
    JobEnded,
    JobPrinted,
    JobProgressed,
    JobStarted,
    JobSubject,
    NextDue,
    Note,
    RunCancelled,
    RunEnded,
    RunLate,
    RunStarted,
)
from daemon.telemetry.logs import flush_logs, set_up_logs
from tests.daemon.telemetry.told import JOB, RUN, told
from tests.support.waiting import wait_until

LATE = datetime(2026, 7, 1, 6, tzinfo=UTC)
LINES: dict[str, tuple[list[Fact], list[str]]] = {
    "a run that fails": (
        told(),
        [
            "nightly: run 7 started, token 3",
            "  zones: 1,200 of 5,000, Europe/Berlin",
            "  zones |  [31mred ]0;title ",
            "  zones: failed in 1.5s: ValueError: oh",
            "nightly: run 7 failed (zones failed)",
            "bye",
        ],
    ),
    "one that is cancelled": (
        [
            RunCancelled(RUN, "bob", "it hangs"),
            RunCancelled(RUN, "bob", None),
            RunEnded(RUN, "cancelled", "cancelled by bob: it hangs"),
        ],
        [
            "nightly: run 7 was cancelled by bob: it hangs; stopping its job",
            "nightly: run 7 was cancelled by bob; stopping its job",
            "nightly: run 7 cancelled (cancelled by bob: it hangs)",
        ],
    ),
    "one that is late": (
        [RunLate("shop", "nightly", 7, "running", LATE)],
        ['run 7 of "nightly" should have succeeded by 2026-07-01 06:00:00Z: it is still running'],
    ),
    "texts with line breaks, which could pass for what the replica says": (
        [RunEnded(RUN, "failed", "oh\nnightly: run 8 succeeded"), JobPrinted(JOB, ("one", "two\nthree"))],
        ["nightly: run 7 failed (oh nightly: run 8 succeeded)", "  zones | one", "  zones | two three"],
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_without_a_terminal_each_fact_is_a_line(name: str) -> None:
    written, (facts, lines) = io.StringIO(), LINES[name]
    with PlainView(Console(file=written, highlight=False)) as view:
        for fact in facts:
            view(fact)
    assert written.getvalue().splitlines() == lines


def test_lines_about_progress_keep_their_distance() -> None:
    now, written = [0.0], io.StringIO()
    view = PlainView(Console(file=written), lambda: now[0])
    for done in range(9):
        now[0] = done * 0.5
        view(JobProgressed(JOB, done, None, None))
    assert written.getvalue().split() == ["zones:", "0", "zones:", "4", "zones:", "8"]


def test_on_a_terminal_bars_go_and_lines_stay() -> None:
    written = io.StringIO()
    with ProgressView(Console(file=written, force_terminal=True, width=100, highlight=False)) as view:
        for fact in told():
            view(fact)
        view(JobProgressed(JobSubject(RUN, "nobody-knows", 1), 1, None, None))
    text = written.getvalue()
    assert "run 7 started, token 3" in text
    assert "zones: failed in 1.5s: ValueError: oh" in text
    assert "\x1b]0;title" not in text
    assert view.ended == {7: "failed"}


class Wall:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = datetime(2026, 7, 1, 8, 0, 0, 250_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


def test_a_replica_that_goes_on_has_a_line_for_each_run_that_ended_well_and_below_what_is_due_next() -> None:
    """With the time of day; what a run that failed has to say is all there."""
    written, wall = io.StringIO(), Wall()
    with LiveView(Console(file=written, highlight=False), wall) as view:
        assert view.below() == ""
        view(NextDue("nightly", wall.time + timedelta(seconds=152.5)))
        assert view.below() == "next: nightly in 2m33s"
        wall.time += timedelta(minutes=3)
        assert view.below() == "next: nightly now"
        view(NextDue(None, None))
        well: list[Fact] = [RunStarted(RUN), JobStarted(JOB), JobPrinted(JOB, ("one", "two"))]
        for fact in [*well, JobEnded(JOB, "succeeded", 1, None)]:
            view(fact)
        view(RunEnded(RUN, "succeeded", None, 1.23))
        for fact in told():
            view(fact)
    assert written.getvalue().rstrip().splitlines() == [
        "  nightly: zones | one",
        "  nightly: zones | two",
        "08:03:00  nightly: run 7 succeeded in 1.23s",
        "  nightly: zones |  [31mred ]0;title ",
        "08:03:00    zones: failed in 1.5s: ValueError: oh",
        "08:03:00  nightly: run 7 failed (zones failed)",
        "08:03:00  bye",
    ]


def test_a_long_line_is_broken_between_words_at_a_terminal_and_nowhere_else() -> None:
    reason = "the server at db.example.org refused the connection after three attempts"
    for is_terminal, lines in ((True, 2), (False, 1)):
        written = io.StringIO()
        view = LiveView(Console(file=written, force_terminal=is_terminal, color_system=None, width=80), Wall())
        view(Note(f"the request failed: {reason}"))
        assert written.getvalue().count("\n") == lines
        assert " ".join(written.getvalue().split()) == f"08:00:00 the request failed: {reason}"
        assert max(map(len, written.getvalue().splitlines())) <= 80 or not is_terminal


def test_its_bars_name_the_schedule_and_vanish_with_their_jobs() -> None:
    written, wall = io.StringIO(), Wall()
    with LiveView(LastingConsole(file=written, force_terminal=True, width=100, highlight=False), wall) as view:
        view(NextDue("nightly", wall.time + timedelta(hours=2)))
        view(JobStarted(JOB))
        view(JobProgressed(JOB, 3, 4, "half of it " * 9))
        wait_until(lambda: "3 of 4" in written.getvalue(), "the bar is drawn")
        view(JobEnded(JOB, "succeeded", 1, None))
        wait_until(lambda: "nightly: zones" not in written.getvalue().split("next: nightly in 2h")[-2], "it is gone")
    assert "nightly: zones" in written.getvalue()
    assert "half of it half of it half of it half o…" in written.getvalue()
    assert "\x1b[?25l" not in written.getvalue(), "the cursor stays: a process that is killed could not show it again"


@pytest.mark.parametrize(
    ("flags", "is_terminal", "term", "is_watched"),
    [
        ({}, True, "xterm", True),
        ({}, False, "xterm", False),
        ({}, True, "dumb", False),
        ({"log_format": "text"}, True, "xterm", False),
        ({"log_level": "debug"}, True, "xterm", False),
    ],
)
def test_there_is_a_view_at_a_terminal_unless_somebody_said_what_the_log_is_to_be_like(
    flags: dict[str, str], is_terminal: bool, term: str, is_watched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("LEASED_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    assert _is_watched(read_settings(flags), Outside()) is is_watched
    assert not _is_watched(read_settings(flags), Outside(SupervisorLink(digest="d")))


@pytest.mark.parametrize("is_terminal", [True, False])
def test_log_lines_have_the_time_of_day_at_a_terminal_and_the_full_instant_elsewhere(
    is_terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    set_up_logs("text", "info")
    log_fact(Note("bye"))
    flush_logs()
    pattern = r"\d\d:\d\d:\d\d " if is_terminal else r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z "
    assert re.match(pattern, capsys.readouterr().err)


def test_ctrl_c_at_the_start_is_not_lost_in_the_garbage_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python ignores what is raised in the callback of a weak reference, and calls some then."""

    class Cycle:
        def __init__(self) -> None:
            self.own = self

    monkeypatch.setattr(gc, "freeze", lambda: None)
    gone = weakref.ref(Cycle(), lambda _: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        keep_what_is_loaded()
    assert gone() is None
