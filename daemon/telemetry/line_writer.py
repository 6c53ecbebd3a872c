"""The lines on standard error, and the stream that they are written to."""

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from .courier import Courier

MOST_CHARACTERS = 8 * 1024 * 1024
"""The queued characters above which further lines are dropped."""


def line_writer(about_dropped: Callable[[int], str]) -> Courier[str]:
    """Return what writes lines in order, to the current sys.stderr or `written_to`; a pipe that is not read delays no
    caller.
    """
    return Courier("log", _write_out, about_dropped, cost=len, most_cost=MOST_CHARACTERS)


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
