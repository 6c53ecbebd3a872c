"""The pipes of a child as the replica reads them: its output, and a function child's reports."""

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from typing import assert_never

from ..output.output import Output
from ..output.transcript import Transcript
from ..reports import LONGEST_ERROR, Failure, FileChanged, Progress, Report, parse_report
from ..stacks.of_child import Lines
from .spawn import KeeperProcess

CHUNK = 32 * 1024
PIPE_LIMIT = 1024 * 1024
LONGEST_REPORT = 8 * LONGEST_ERROR
_BEGIN = re.compile(rb'\{"(?:progress|error|changed)": ')


class ChildPipes:
    """Reads both pipes in the event loop and passes on each line of output and each progress."""

    def __init__(
        self,
        kept: KeeperProcess,
        on_output: Callable[[Sequence[str]], None],
        on_progress: Callable[[Progress], None] | None,
        transcript: Transcript,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._printed, self._reported = kept.printed, kept.reported
        self._on_progress = on_progress
        self._report = b""
        self.output = Output(on_output, transcript)
        self.failure: str | None = None
        """The error that a function child reported."""
        self.file_changed: str | None = None
        """Why a function child ran nothing."""
        self.others = Lines()
        """The lines on the report pipe that are no reports."""
        self._loop.add_reader(self._printed, self._read_output)
        if self._reported is not None:
            self._loop.add_reader(self._reported, self._read_reports)

    def drain(self) -> None:
        """Read what is left in the pipes, but no more: a process that escaped may go on writing."""
        for read in (self._read_output, self._read_reports):
            for _ in range(PIPE_LIMIT // CHUNK):
                if not read():
                    break

    def stop_reading(self) -> None:
        """Take the pipes out of the event loop; their descriptors stay open."""
        for descriptor in (self._printed, self._reported):
            if descriptor is not None:
                self._loop.remove_reader(descriptor)

    def _read_output(self) -> bool:
        data = read_chunk(self._printed)
        if data:
            self.output.feed(data)
        elif data is not None:
            self._loop.remove_reader(self._printed)
        return bool(data)

    def _read_reports(self) -> bool:
        if self._reported is None:
            return False
        data = read_chunk(self._reported)
        if data == b"":
            self._loop.remove_reader(self._reported)
        *lines, self._report = (self._report + (data or b"")).split(b"\n")
        before = b""
        for line in lines:
            report, other = _report_in(before + line)
            before = b"" if report is None else other
            match report:
                case Progress() as progress:
                    self._pass_on(progress)
                case Failure(error):
                    self.failure = error
                case FileChanged(why):
                    self.file_changed = why
                case None:  # a child may write anything
                    self.others.take(other)
                case _:
                    assert_never(report)
        self._report = (before + self._report)[:LONGEST_REPORT]
        return bool(data)

    def _pass_on(self, progress: Progress) -> None:
        if self._on_progress is None:
            return
        try:
            self._on_progress(progress)
        except Exception as error:  # noqa: BLE001 (a listener that fails must not stop the reading)
            about = {"message": "the listener to a job's progress failed", "exception": error}
            self._loop.call_exception_handler(about)


def _report_in(line: bytes) -> tuple[Report | None, bytes]:
    """Return the report that ends a line, and what stands before it: a stack may be written at the same time."""
    if (report := parse_report(line)) is not None:
        return report, b""
    begins = _BEGIN.search(line)
    report = parse_report(line[begins.start() :]) if begins else None
    return report, line[: begins.start()] if begins and report else line


def read_chunk(descriptor: int) -> bytes | None:
    """Return what can be read now; empty at the end; None if there is nothing yet."""
    try:
        return os.read(descriptor, CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""
