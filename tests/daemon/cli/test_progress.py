"""What `leased run --until-idle` shows: lines, and bars on a terminal."""

import io
from datetime import UTC, datetime

from rich.console import Console

from daemon.cli.running.progress import PlainView, ProgressView
from daemon.telemetry.facts import JobPrinted, JobProgressed, JobSubject, RunCancelled, RunEnded, RunLate
from tests.daemon.telemetry.told import JOB, RUN, told


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_without_a_terminal_each_fact_is_a_line() -> None:
    written = io.StringIO()
    with PlainView(Console(file=written, highlight=False)) as view:
        for fact in told():
            view(fact)
    assert written.getvalue().splitlines() == [
        "nightly: run 7 started, token 3",
        "  zones: 1,200 of 5,000, Europe/Berlin",
        "  zones |  [31mred ]0;title ",
        "  zones: failed in 1.5s: ValueError: oh",
        "nightly: run 7 failed (zones failed)",
        "bye",
    ]
    assert view.ended == {7: "failed"}


def test_a_run_that_is_cancelled_says_by_whom_and_how_it_ends() -> None:
    written = io.StringIO()
    with PlainView(Console(file=written, highlight=False)) as view:
        view(RunCancelled(RUN, "bob", "it hangs"))
        view(RunCancelled(RUN, "bob", None))
        view(RunEnded(RUN, "cancelled", "cancelled by bob: it hangs"))
    assert written.getvalue().splitlines() == [
        "nightly: run 7 is cancelled by bob: it hangs; stopping its job",
        "nightly: run 7 is cancelled by bob; stopping its job",
        "nightly: run 7 cancelled (cancelled by bob: it hangs)",
    ]


def test_a_run_that_is_late_to_finish_is_told() -> None:
    written = io.StringIO()
    with PlainView(Console(file=written, highlight=False)) as view:
        view(RunLate("shop", "nightly", 7, "running", datetime(2026, 7, 1, 6, tzinfo=UTC)))
    assert (
        written.getvalue() == 'run 7 of "nightly" should have succeeded by 2026-07-01 06:00:00Z: it is still at work\n'
    )


def test_no_text_of_a_fact_begins_a_line_of_its_own() -> None:
    """Or a reason could pass for what the replica says; lines of output are lines."""
    written = io.StringIO()
    with PlainView(Console(file=written, highlight=False)) as view:
        view(RunEnded(RUN, "failed", "oh\nnightly: run 8 succeeded"))
        view(JobPrinted(JOB, ("one", "two\nthree")))
    assert written.getvalue().splitlines() == [
        "nightly: run 7 failed (oh nightly: run 8 succeeded)",
        "  zones | one",
        "  zones | two three",
    ]


def test_lines_about_progress_keep_their_distance() -> None:
    clock, written = Clock(), io.StringIO()
    view = PlainView(Console(file=written), clock)
    for done in range(9):
        clock.now = done * 0.5
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
