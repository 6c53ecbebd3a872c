"""Standard error that nobody reads delays no caller, and what was dropped is said."""

import io
import os
import sys
import threading
from contextlib import redirect_stderr

import pytest

from daemon.telemetry import logs
from daemon.telemetry.logs import line_writer, written_to
from tests.support.waiting import LIMIT


class Stuck:
    """A stream whose first write returns only when it is let go."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.entered = threading.Event()
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.entered.set()
        assert self.go_on.wait(LIMIT)
        self.lines.append(line)

    def flush(self) -> None: ...


def test_a_stream_that_is_stuck_delays_no_caller_and_is_given_up_after_the_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Stuck()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(logs, "MOST_CHARACTERS", 10)
    writer = line_writer(lambda number: f"dropped {number}")
    writer.put("first")
    assert stream.entered.wait(LIMIT)
    for line in ("aaaaa", "bbbbb", "ccccc", "ddddd"):
        writer.put(line)
    assert writer.flush(0.01) is False
    stream.go_on.set()
    assert writer.flush(30)
    writer.put("last")
    assert writer.flush(30)
    assert stream.lines == ["first", "aaaaa", "bbbbb", "dropped 2", "last"]


def test_without_a_thread_lines_are_written_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    stream = Stuck()
    stream.go_on.set()
    monkeypatch.setattr(sys, "stderr", stream)
    writer = line_writer(str)
    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", refuse)
        writer.put("one\n")
        assert stream.lines == ["one\n"]
        assert writer.flush(LIMIT)
    writer.put("two\n")
    assert writer.flush(LIMIT)
    assert stream.lines == ["one\n", "two\n"]


def test_a_pipe_without_a_reader_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stderr", pipe)
        monkeypatch.setattr(sys, "__stderr__", pipe)
        writer = line_writer(str)
        writer.put("nobody hears this")
        assert writer.flush(30)


def test_lines_go_on_where_they_went_while_a_job_in_this_process_redirects(capsys: pytest.CaptureFixture[str]) -> None:
    writer, of_job = line_writer(str), io.StringIO()
    with written_to(sys.stderr), redirect_stderr(of_job):
        writer.put("failed\n")
        assert writer.flush(LIMIT)
    assert (capsys.readouterr().err, of_job.getvalue()) == ("failed\n", "")
