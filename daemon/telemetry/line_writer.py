"""The writer of lines to standard error, which queues them and writes on a thread of its own."""

import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

MOST_CHARACTERS = 8 * 1024 * 1024
"""The queued characters above which further lines are dropped."""


class LineWriter:
    """Writes lines in order, to the current sys.stderr or `written_to`; a pipe that is not read delays no caller.

    If lines had to be dropped, ``about_dropped`` returns the line that says how many.
    """

    def __init__(self, about_dropped: Callable[[int], str]) -> None:
        self._about_dropped = about_dropped
        self._lines: deque[str] = deque()
        self._queued = 0
        self._dropped = 0
        self._written = 0
        self._idle = True
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def write(self, line: str) -> None:
        """Queue a line; for any thread."""
        with self._changed:
            if self._queued + len(line) > MOST_CHARACTERS:
                self._dropped += 1
                return
            if self._dropped:
                self._append(self._about_dropped(self._dropped))
                self._dropped = 0
            self._append(line)
            if self._thread is None and not self._start():
                self._write_here()
            self._changed.notify_all()

    def _start(self) -> bool:
        """Start the thread; False if the system has none left."""
        thread = threading.Thread(target=self._run, name="log", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        self._thread = thread
        return True

    def _write_here(self) -> None:
        """Write what is queued without a thread: what a replica says of a shortage must not wait for its end."""
        while self._lines:
            line = self._lines.popleft()
            self._queued -= len(line)
            _write_out(line)
            self._written += 1

    def flush(self, patience: float) -> bool:
        """Wait until all lines are written; return False once none was for ``patience`` seconds."""
        with self._changed:
            while not self._is_done() and self._has_gone_on(self._written, patience):
                continue
            return self._is_done()

    def _is_done(self) -> bool:
        return self._idle and not self._lines

    def _has_gone_on(self, before: int, patience: float) -> bool:
        return self._changed.wait_for(lambda: self._written != before or self._is_done(), patience)

    def _append(self, line: str) -> None:
        self._lines.append(line)
        self._queued += len(line)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._idle = not self._lines
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines)
                self._idle = False
                line = self._lines.popleft()
                self._queued -= len(line)
            _write_out(line)
            with self._changed:
                self._written += 1
                self._changed.notify_all()


_streams: list[TextIO | None] = []


@contextmanager
def written_to(stream: TextIO | None) -> Iterator[None]:
    """Write lines to ``stream`` during the block, even if a job in this process redirects sys.stderr."""
    _streams.append(stream)
    try:
        yield
    finally:
        _streams.pop()


def _write_out(line: str) -> None:
    """Write to stderr without its lock, which a stuck thread would still hold when Python exits."""
    stream = _streams[-1] if _streams else sys.stderr  # None where it was closed before Python started
    if stream is None:
        return
    try:
        real = sys.__stderr__
        if real is None or stream is not real:  # a live display, or a test
            stream.write(line)
            stream.flush()
            return
        descriptor, data = real.fileno(), line.encode(errors="backslashreplace")
        while data:
            try:
                data = data[os.write(descriptor, data) :]
            except BlockingIOError:
                select.select([], [descriptor], [])
    except (OSError, ValueError):  # closed: there is no reader left
        return
