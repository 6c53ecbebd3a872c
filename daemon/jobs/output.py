"""The output of a job: bytes made into lines of plain text, passed on and added to its transcript.

The prints of jobs that run inside the replica are kept apart from those of everything else there.
"""

import asyncio
import codecs
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from .transcript import Transcript

T = TypeVar("T")

LONGEST_LINE = 8 * 1024
_ESCAPES = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]"  # colours, and moves of the cursor
    "|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?"  # titles and links
    "|\x1b[PX^_][^\x1b]*(?:\x1b\\\\)?"
    "|\x1b[ -/]*[0-~]"
)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Output:
    """Splits a stream of bytes into lines of text, in bounded memory.

    Escapes of a terminal are left out, and of a line that is written over with a carriage return its last state is
    kept. Invalid UTF-8 becomes U+FFFD, and so do other control characters: no database accepts NUL in text. A line
    longer than `LONGEST_LINE` characters is passed on in pieces; in the transcript it is whole.
    """

    def __init__(self, on_lines: Callable[[Sequence[str]], None], transcript: Transcript) -> None:
        self._on_lines = on_lines
        self._transcript = transcript
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._in_line = False

    @property
    def tail(self) -> str:
        """The last of it, with a line that has not ended."""
        return self._transcript.tail + self._rest

    def feed(self, data: bytes, *, last: bool = False) -> None:
        """Add bytes that were read; with `last`, an unfinished line counts as a line."""
        *lines, self._rest = (self._rest + self._decoder.decode(data, last)).split("\n")
        if not "".join(lines).isprintable():
            lines = [plain_line(line) for line in lines]
        text = "\n".join([*lines, ""])
        self._in_line = self._in_line and not lines
        self._rest = self._rest[self._rest.rfind("\r", 0, -1) + 1 :]
        while len(self._rest) > LONGEST_LINE or (last and self._rest):
            part, self._rest = plain_line(self._rest[:LONGEST_LINE]), self._rest[LONGEST_LINE:]
            lines.append(part)
            text += part
            self._in_line = True
        if lines:
            if max(map(len, lines)) > LONGEST_LINE:
                lines = [
                    one[at : at + LONGEST_LINE] for one in lines for at in range(0, max(1, len(one)), LONGEST_LINE)
                ]
            pass_on(self._on_lines, lines, "output")
            self._transcript.add(text)

    def note(self, sentence: str) -> None:
        """Add a line of leased's own."""
        self.feed(b"\n" if self._rest or self._in_line else b"")
        self.feed(f"leased: {sentence}\n".encode(errors="replace"))


def pass_on(listener: Callable[[T], None], what: T, called: str) -> None:
    """Call a listener to the output or the progress of a job; one that fails does not stop the reading."""
    try:
        listener(what)
    except Exception as error:  # noqa: BLE001 - see above
        about = {"message": f"the listener to a job's {called} failed", "exception": error}
        asyncio.get_running_loop().call_exception_handler(about)


def plain_line(line: str) -> str:
    """Return a line as a terminal would leave it, without colours."""
    if line.isprintable():
        return line
    line = line.rstrip("\r")
    line = _ESCAPES.sub("", line[line.rfind("\r") + 1 :])
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", line)


class _Printed:
    """The lines of one job, as they become whole. For any thread: those of `asyncio.to_thread` print here too."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._rest = ""
        self._lock = threading.RLock()  # reentrant: a signal or a finalizer may print in the middle of a call
        self._closed = False

    def add(self, text: str) -> bool:
        """Pass on the lines that are whole, and return whether that was in time."""
        with self._lock:
            if self._closed:
                return False
            whole, end, self._rest = (self._rest + text).rpartition("\n")
            if len(self._rest) > LONGEST_LINE:
                end, self._rest = end + self._rest, ""
            if end:
                self._take((whole + end).encode(errors="replace"))
            return True

    def close(self) -> None:
        """Pass on a line that has not ended; what comes after it is not the job's any more."""
        with self._lock:
            self._closed = True
            if self._rest:
                self._take(self._rest.encode(errors="replace"))


_PRINTED: ContextVar[_Printed | None] = ContextVar("leased_printed", default=None)
os.register_at_fork(after_in_child=lambda: _PRINTED.set(None))  # nobody there takes it


class _Parted:
    """A stream that gives what a job writes to its output, and all else to the stream that was there."""

    def __init__(self, beneath: Any) -> None:
        self._beneath = beneath

    def write(self, text: str) -> int:
        printed = _PRINTED.get()
        if printed is None or not printed.add(text):
            written: int = self._beneath.write(text)
            return written
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._beneath, name)


@contextmanager
def parted_streams() -> Iterator[None]:
    """Let stdout and stderr of this process tell apart, during the block, what is printed in `printed_to`."""
    before = {name: stream for name in ("stdout", "stderr") if (stream := getattr(sys, name)) is not None}
    parted = {name: _Parted(stream) for name, stream in before.items()}
    for name, stream in parted.items():
        setattr(sys, name, stream)
    try:
        yield
    finally:
        for name, stream in parted.items():
            if getattr(sys, name) is stream:
                setattr(sys, name, before[name])


@contextmanager
def printed_to(take: Callable[[bytes], None]) -> Iterator[None]:
    """Pass on to ``take`` what this thread or task prints during the block, where there are `parted_streams`."""
    printed = _Printed(take)
    token = _PRINTED.set(printed)
    try:
        yield
    finally:
        _PRINTED.reset(token)
        printed.close()
