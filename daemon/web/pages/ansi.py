"""A line of output as a browser may show it: colours become classes, and whatever else a terminal would obey is gone."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...text import clean

LONGEST = 2_000
"""The characters of a line that a page shows."""
_SEQUENCE = re.compile(
    r"\x1b\[([0-9;:]*)m"  # colours and weight
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # other control sequences
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"  # titles, and other strings
    r"|\x1b[ -/]*[0-~]?"
)
_COLOURS = ("dim", "fail", "ok", "warn", "run", "crash", "run", "")
"""Black to white, as the tones of the pages."""


@dataclass(frozen=True, slots=True)
class StyledText:
    """A stretch of a line that looks the same."""

    text: str
    looks: str
    """Classes; empty: plain."""


def stretches(line: str) -> tuple[Sequence[StyledText], int]:
    """Return a line as stretches, and how many characters are cut from its end.

    A bar of progress writes over its line with carriage returns: the last writing is shown.
    """
    shown = line.rstrip("\r").rpartition("\r")[2]
    found, left = [], LONGEST
    for one in _stretches(shown[: LONGEST * 4]):
        found.append(StyledText(one.text[:left], one.looks))
        left -= len(found[-1].text)
        if left <= 0:
            break
    return found, max(0, len(shown) - LONGEST) if left <= 0 else 0


def _stretches(line: str) -> Iterator[StyledText]:
    colour, is_bold, place = "", False, 0
    for found in _SEQUENCE.finditer(line):
        if text := clean(line[place : found.start()], lines=True):
            yield StyledText(text, _classes(colour, is_bold=is_bold))
        place = found.end()
        if found[1] is not None:
            colour, is_bold = _changed(found[1], colour, is_bold=is_bold)
    if text := clean(line[place:], lines=True):
        yield StyledText(text, _classes(colour, is_bold=is_bold))


def _changed(codes: str, colour: str, *, is_bold: bool) -> tuple[str, bool]:
    given = [int(code) if code.isdigit() else 0 for code in codes.replace(":", ";").split(";")]
    while given:
        match given.pop(0):
            case 0:
                colour, is_bold = "", False
            case 1:
                is_bold = True
            case 22:
                is_bold = False
            case 38 | 48:  # of 256 or of all: these are dropped
                del given[: 2 if given[:1] == [5] else 4]
            case code if 30 <= code <= 37 or 90 <= code <= 97:
                colour = _COLOURS[code % 10]
            case 39:
                colour = ""
            case _:  # underlined, backgrounds
                pass
    return colour, is_bold


def _classes(colour: str, *, is_bold: bool) -> str:
    return " ".join(filter(None, (f"t-{colour}" if colour not in ("", "dim") else colour, "strong" if is_bold else "")))
