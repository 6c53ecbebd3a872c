"""The kept screens: one file for each command, and in it one part for each database and way."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from .ways import Way

FOLDER = Path(__file__).parent / "kept"
REWRITE = os.environ.get("LEASED_TEST_SCREENS") == "write"
"""Write what is shown now into the files, for a person to look at the difference."""
RULE = "-----"
ALIKE = 6
"""Of more rows than so many that differ only in their numbers, the first and the last are kept."""
ROW = re.compile(r".*\n(?:  .*\n)*")
"""A line, and the indented ones that go on with it."""
NUMBER = re.compile(r"\s+|[\d:+Z-]*\d[\d:+Z-]*")

Parts = Mapping[tuple[str, Way, int | None], str]
"""By database, way, and the columns of a terminal: the screen."""


def kept_as(command: Sequence[str], parts: Parts) -> str:
    """Return the text of a file; ways and widths in which a screen is the same stand together."""
    written = [f"$ leased {' '.join(command)}\n"]
    for database, of_database in groupby(parts, key=lambda part: part[0]):
        same: dict[str, dict[Way, list[str]]] = {}
        for _, way, columns in of_database:
            under = same.setdefault(parts[database, way, columns], {}).setdefault(way, [])
            under += [] if columns is None else [str(columns)]
        written += [f"\n{RULE} {database}, {_titled(under)}\n{text}" for text, under in same.items()]
    return "".join(written)


def _titled(ways: Mapping[Way, Sequence[str]]) -> str:
    return ", ".join(" ".join([way, *([f"({'/'.join(widths)})"] if widths else [])]) for way, widths in ways.items())


def shortened(text: str) -> str:
    """Return a screen with few of many rows that are alike."""
    return "".join(_without_the_like(ROW.findall(text)))


def _without_the_like(rows: Sequence[str]) -> Iterator[str]:
    for _, found in groupby(rows, key=lambda row: NUMBER.sub("", row)):
        alike = list(found)
        yield from alike if len(alike) <= ALIKE else [*alike[:3], f"{RULE} and so on\n", alike[-1]]


def without_the_number(text: str, count: int) -> str:
    """Return a screen that is the same for any number N of hundreds or thousands, and for what is a few less than N."""

    def as_n(found: re.Match[str]) -> str:
        less = count - int(found[0].replace(",", ""))
        return f"{{N-{less}}}" if 0 < less < 200 else "{N}" if less == 0 else found[0]

    text = re.sub(r"\b[0-9a-f]{12}\b", "{digest}    ", text.replace(f"s{count - 61:04}", "s{last}"))
    return re.sub(r"(?<![\w.:-])(?:\d{1,3}(?:,\d{3})+|\d{3,5})(?![\w.:-])", as_n, text)


def compare(name: str, shown: str) -> None:
    """Compare with the kept screens of a command, exactly; or write these."""
    file = FOLDER / f"{name}.txt"
    if REWRITE:
        FOLDER.mkdir(exist_ok=True)
        file.write_text(shown)
    assert shown == file.read_text(), f"if it is meant, LEASED_TEST_SCREENS=write rewrites {file.name}"
