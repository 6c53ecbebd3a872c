"""Pieces of output put together: what follows a position, and how much is missing where. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fragment:
    """A text without a gap, and how much is missing before it."""

    cut_bytes: int
    cut_lines: int
    text: str


@dataclass(frozen=True, slots=True)
class Position:
    """A place in an output: after so many bytes, and so many ends of lines."""

    size: int = 0
    lines: int = 0


Pieces = Iterable[tuple[int, int, str]]
"""Fragments as they are stored: the bytes and the ends of lines before each, and its text."""


def fragments(pieces: Pieces, position: Position = Position()) -> tuple[list[Fragment], Position]:
    """Return what follows a position, and the position after it. Pieces may overlap, and come in any order."""
    found: list[Fragment] = []
    for start, line, text in sorted(pieces):
        raw = text.encode()
        if (end := start + len(raw)) <= position.size:
            continue
        new = raw[max(0, position.size - start) :].decode(errors="replace")
        if found and start <= position.size:
            found[-1] = Fragment(found[-1].cut_bytes, found[-1].cut_lines, found[-1].text + new)
        else:
            found.append(Fragment(max(0, start - position.size), max(0, line - position.lines), new))
        position = Position(end, line + text.count("\n"))
    return found, position
