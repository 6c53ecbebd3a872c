"""The output of a job: bytes made into lines of plain text, passed on and added to its transcript, which keeps the last
of them in bounded memory until they are saved.

The prints of jobs that run inside the replica are kept apart from those of everything else there.
"""

import asyncio
import codecs
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from .reports import Piece, Progress

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
    """Passes on what an attempt reports, and what it prints: a stream of bytes, split into lines of text in bounded memory.

    Escapes of a terminal are left out, and of a line that is written over with a carriage return its last state is
    kept. Invalid UTF-8 becomes U+FFFD, and so do other control characters: no database accepts NUL in text. A line
    longer than `LONGEST_LINE` characters is passed on in pieces; in the transcript it is whole.
    """

    def __init__(
        self,
        on_lines: Callable[[Sequence[str]], None],
        on_progress: Callable[[Progress], None] = lambda _: None,
        transcript: "Transcript | None" = None,
    ) -> None:
        self._on_lines, self._on_progress = on_lines, on_progress
        self._transcript = transcript or Transcript()
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
            self._pass_on(self._on_lines, lines, "output")
            self._transcript.add(text)

    def report(self, progress: Progress) -> None:
        self._pass_on(self._on_progress, progress, "progress")

    def note(self, sentence: str) -> None:
        """Add a line of leased's own."""
        self.feed(b"\n" if self._rest or self._in_line else b"")
        self.feed(f"leased: {sentence}\n".encode(errors="replace"))

    @staticmethod
    def _pass_on(listener: Callable[[T], None], what: T, called: str) -> None:
        """Call a listener; one that fails does not stop the reading."""
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


# The transcript

KEPT_BYTES = 64 * 1024
KEPT_LINES = 200
"""At least the last so many bytes and so many lines of an attempt are kept."""
MOST_BYTES = 4 * KEPT_BYTES
"""But hardly more than this, however long its lines are."""
_SMALL = 4 * 1024
"""The bytes below which a piece is joined with what follows it, so that there are few of them."""


class Transcript:
    """Keeps the last of what is added, and hands it over piece by piece.

    A piece is handed over again, unchanged, until it is said to be saved, for it may have been. What comes meanwhile is
    kept within the bounds. Where something between two pieces is lost, their places show how much.
    """

    def __init__(self) -> None:
        self._new: _Window[str] = _Window()
        self._stored: _Window[int] = _Window()  # where each piece in the database starts
        self._size = self._lines = 0  # of all that was added
        self._handed_over: Piece | None = None
        self._last_saved: Piece | None = None
        self._closed = False

    def add(self, text: str) -> None:
        """Add lines, each with its end, or a part of one."""
        size, lines = len(text.encode()), text.count("\n")
        self._size, self._lines = self._size + size, self._lines + lines
        if self._new.items and self._new.items[-1][1] < _SMALL:
            before, size_before, lines_before = self._new.pop()
            text, size, lines = before + text, size_before + size, lines_before + lines
        self._new.append(text, size, lines)
        self._new.drop_surplus()

    def unsaved(self) -> Piece | None:
        """Return the piece that is handed over, or else the next one; None if there is none."""
        if self._closed:
            return None
        if self._handed_over is None and (piece := self._taken()) is not None:
            last = self._last_saved
            if last is not None and last.start + last.size == piece.start:
                piece = last.and_then(piece.text)
                self._stored.pop()
            self._stored.append(piece.start, piece.size, piece.lines)
            keep_from = self._stored.items[0][0] if self._stored.drop_surplus() else None
            self._handed_over = replace(piece, keep_from=keep_from)
        return self._handed_over

    def saved(self, piece: Piece) -> None:
        """Take note that a piece needs no more saving."""
        if piece is self._handed_over:
            self._handed_over = None
            self._last_saved = piece if piece.size < _SMALL else None

    @property
    def tail(self) -> str:
        """The last of it: what is not known to be saved."""
        before = "" if self._handed_over is None else self._handed_over.text
        return before + "".join([text for text, _, _ in self._new.items])

    def close(self) -> Piece | None:
        """Return what is not known to be saved, from its last gap on; nothing is handed over after it."""
        self._closed = True
        before, new = self._handed_over, self._taken()
        if before is None or new is None:
            return new or before
        return before.and_then(new.text) if before.start + before.size == new.start else new

    def _taken(self) -> Piece | None:
        """Return what is new, which is none any more."""
        new, self._new = self._new, _Window[str]()
        text = "".join([text for text, _, _ in new.items])
        return Piece(self._size - new.size, self._lines - new.lines, text) if new.items else None


@dataclass(slots=True)
class _Window(Generic[T]):
    """Items, each with its bytes and lines; the first ones go when the rest are enough."""

    items: deque[tuple[T, int, int]] = field(default_factory=deque)
    size: int = 0
    lines: int = 0

    def append(self, item: T, size: int, lines: int) -> None:
        self.items.append((item, size, lines))
        self.size, self.lines = self.size + size, self.lines + lines

    def pop(self) -> tuple[T, int, int]:
        item = self.items.pop()
        self.size, self.lines = self.size - item[1], self.lines - item[2]
        return item

    def drop_surplus(self) -> bool:
        """Drop the first items as long as the rest are enough, or all are too many; return whether there were any."""
        before = len(self.items)
        while len(self.items) > 1:
            _, of_bytes, of_lines = self.items[0]
            enough = self.size - of_bytes >= KEPT_BYTES and self.lines - of_lines >= KEPT_LINES
            if not enough and self.size <= MOST_BYTES:
                break
            self.items.popleft()
            self.size, self.lines = self.size - of_bytes, self.lines - of_lines
        return len(self.items) < before


# The prints of jobs inside the replica


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
