"""The transcript of an attempt: the last of what it printed, in bounded memory, until it is saved."""

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

KEPT_BYTES = 64 * 1024
KEPT_LINES = 200
"""At least the last so many bytes and so many lines of an attempt are kept."""
MOST_BYTES = 4 * KEPT_BYTES
"""But hardly more than this, however long its lines are."""
_SMALL = 4 * 1024
"""The bytes below which a piece is joined with what follows it, so that there are few of them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of what an attempt printed; ``start`` bytes and ``line`` ends of lines came before it."""

    start: int
    line: int
    text: str
    keep_from: int | None = None
    """Pieces that start before this place are not needed any more; None: all are."""

    @property
    def size(self) -> int:
        """Its bytes in UTF-8."""
        return size_of(self.text)

    @property
    def lines(self) -> int:
        """The number of lines that end in it."""
        return self.text.count("\n")

    def and_then(self, text: str) -> "Piece":
        return Piece(self.start, self.line, self.text + text)


class Transcript:
    """Keeps the last of what is added, and hands it over piece by piece.

    A piece is handed over again, unchanged, until it is said to be saved, for it may have been. What comes meanwhile is
    kept within the bounds. Where something between two pieces is lost, their places show how much.
    """

    def __init__(self) -> None:
        self._new: _Window[str] = _Window()
        self._stored: _Window[int] = _Window()  # where each piece in the database starts
        self._start = self._line = 0  # of what is new
        self._handed_over: Piece | None = None
        self._last_saved: Piece | None = None
        self._closed = False

    def add(self, text: str) -> None:
        """Add lines, each with its end, or a part of one."""
        block = text, size_of(text), text.count("\n")
        if self._new.items and self._new.items[-1][1] < _SMALL:
            before = self._new.pop()
            block = before[0] + block[0], before[1] + block[1], before[2] + block[2]
        self._new.append(*block)
        self._move(*self._new.drop_surplus())

    def unsaved(self) -> Piece | None:
        if self._closed:
            return None
        if self._handed_over is None:
            self._handed_over = self._next()
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
        return before + "".join(text for text, _, _ in self._new.items)

    def close(self) -> Piece | None:
        """Return what is not known to be saved, from its last gap on; nothing is handed over after it."""
        self._closed = True
        before, new = self._handed_over, self._taken()
        if before is None or new is None:
            return new or before
        return before.and_then(new.text) if before.start + before.size == new.start else new

    def _next(self) -> Piece | None:
        piece, last = self._taken(), self._last_saved
        if piece is None:
            return None
        if last is not None and last.start + last.size == piece.start:
            piece = last.and_then(piece.text)
            self._stored.pop()
        self._stored.append(piece.start, piece.size, piece.lines)
        gone, _ = self._stored.drop_surplus()
        return Piece(piece.start, piece.line, piece.text, self._stored.items[0][0] if gone else None)

    def _taken(self) -> Piece | None:
        if not self._new.items:
            return None
        piece = Piece(self._start, self._line, "".join(text for text, _, _ in self._new.items))
        self._move(self._new.size, self._new.lines)
        self._new = _Window()
        return piece

    def _move(self, size: int, lines: int) -> None:
        self._start, self._line = self._start + size, self._line + lines


class _Window(Generic[T]):
    """Items, each with its bytes and lines; the first ones go when the rest are enough."""

    def __init__(self) -> None:
        self.items: deque[tuple[T, int, int]] = deque()
        self.size = self.lines = 0

    def append(self, item: T, size: int, lines: int) -> None:
        self.items.append((item, size, lines))
        self.size, self.lines = self.size + size, self.lines + lines

    def pop(self) -> tuple[T, int, int]:
        item = self.items.pop()
        self.size, self.lines = self.size - item[1], self.lines - item[2]
        return item

    def drop_surplus(self) -> tuple[int, int]:
        """Drop the first items as long as the rest are enough, or all are too many; return their bytes and lines."""
        size, lines = self.size, self.lines
        while len(self.items) > 1:
            _, of_bytes, of_lines = self.items[0]
            enough = self.size - of_bytes >= KEPT_BYTES and self.lines - of_lines >= KEPT_LINES
            if not enough and self.size <= MOST_BYTES:
                break
            self.items.popleft()
            self.size, self.lines = self.size - of_bytes, self.lines - of_lines
        return size - self.size, lines - self.lines


def size_of(text: str) -> int:
    """Return the bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())
