"""Values formatted for people who read them, in a sentence or on a terminal."""

import json
import re
import signal
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from lease.durations import format_duration

MOST_NAMES = 30
"""How many names a sentence lists."""
MASK = "***"
"""Stands for the value of a secret parameter."""


class _Printable(dict[int, int]):
    """Each character as it is, and a space for one that controls; it learns none of them, as there are many."""

    def __missing__(self, code: int) -> int:
        return code if chr(code).isprintable() else ord(" ")


_ON_A_LINE, _IN_LINES = _Printable(), _Printable({ord(kept): ord(kept) for kept in "\n\t"})


def clean(text: str, *, lines: bool = False) -> str:
    """Return ``text`` without control characters; with ``lines``, keep newlines and tabs."""
    return text if text.isprintable() else text.translate(_IN_LINES if lines else _ON_A_LINE)


_BESIDE_ASCII = re.compile(r"[^\n -~]+")


def json_text(document: Any) -> str:
    """Return a document as JSON that a terminal may show: what is not printable is escaped."""
    return _BESIDE_ASCII.sub(_escaped, json.dumps(document, ensure_ascii=False))


def _escaped(found: re.Match[str]) -> str:
    text = found[0]
    return text if text.isprintable() else "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


_UNBROKEN = re.compile(r"(?:\d{4}-\d\d-\d\d (?=\d\d:\d\d)|`[^`]*`|[^\s`])+|`")
"""A word, an instant, or what is to be typed: no line ends within it."""


def units(text: str) -> list[str]:
    """Return the parts of a sentence in which no line may end."""
    return _UNBROKEN.findall(text)


def wrapped(text: str, width: int, *, hang: int = 0, measure: Callable[[str], int] = len) -> list[str]:
    """Return ``text`` in lines of at most ``width``, those after the first shorter by ``hang``; only a
    unit that is longer makes one longer.
    """
    lines: list[str] = []
    for unit in units(text):
        limit = width if len(lines) == 1 else width - hang
        if lines and measure(lines[-1]) + 1 + measure(unit) <= limit:
            lines[-1] += f" {unit}"
        else:
            lines.append(unit)
    return lines


def number(value: float) -> str:
    """Return a count with thousands separators: ``12,345``; two decimals unless it is whole."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def counted(count: int, noun: str, many: str | None = None) -> str:
    """Return a count of things: ``1 run``, ``12,345 runs``; ``many`` is a plural that does not end so."""
    return f"{number(count)} {noun if count == 1 else many or f'{noun}s'}"


def size(count: int) -> str:
    """Return a number of bytes rounded for reading: ``999 bytes``, ``56 KiB``, ``1.4 GiB``."""
    if count < 1024:
        return f"{count} byte{'' if count == 1 else 's'}"
    value, units = count / 1024, ["KiB", "MiB", "GiB", "TiB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.1f} {units[0]}" if value < 9.95 else f"{value:,.0f} {units[0]}"


def shortened(text: str, longest: int = 200) -> str:
    """Return a text as a part of a sentence: on one line, and without what is beyond ``longest`` characters."""
    line = " ".join(clean(text).split())
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def cut_here(lines: int, count: int) -> str:
    """Return the mark that stands for output that was not kept: ``… 1,234 lines, 56 KiB cut here``."""
    ended = f"{counted(lines, 'line')}, " if lines else ""
    return f"… {ended}{size(count)} cut here"


def signal_name(number: int) -> str:
    """Return the name of a signal, such as ``SIGKILL``."""
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def when(instant: datetime | None) -> str:
    """Return an instant in UTC, to the second; empty for None."""
    return "" if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def ago(seconds: float | None) -> str:
    """Return how long ago something happened, or how soon it will: ``5m ago``, ``in 5m``."""
    if seconds is None:
        return ""
    whole = round(abs(seconds))
    if whole == 0:
        return "now"
    return f"{format_duration(whole)} ago" if seconds > 0 else f"in {format_duration(whole)}"


def lasted(seconds: float | None) -> str:
    """Return a duration rounded for reading; empty for None."""
    return "" if seconds is None else format_duration(seconds if seconds < 10 else round(seconds, 1))


_STATEMENT = re.compile(
    r"\n(?:\[SQL: (?:(?!\n\[SQL: |\nTraceback ).)*\]|\(Background on this error at: \S+\))\Z", re.DOTALL
)
"""What SQLAlchemy writes at the end of an error: the statement with its parameters, and where to read more."""
_RAISED = re.compile(r"[\w.]*[a-z][\w.]*: ")
"""The beginning of a line that names an error, unlike PostgreSQL's `DETAIL: `."""


def how_long(level: str, threshold: float) -> str:
    """Return that something takes long, as the end of a sentence: ``which is critical (over 30m)``."""
    said = {"warn": "a warning", "critical": "critical", "emergency": "an emergency"}
    return f"which is {said[level]} (over {format_duration(round(threshold, 1))})"


def last_line(text: str | None) -> str:
    """Return the last line of an error, which says most in a traceback; empty for None. Where SQLAlchemy
    has written the statement below, return the last line above that names an error.
    """
    whole = (text or "").strip()
    above = _STATEMENT.sub("", _STATEMENT.sub("", whole))  # the address, then the statement
    lines = above.splitlines()
    if above != whole:
        lines = [line for line in lines if _RAISED.match(line)] or lines
    return lines[-1].strip() if lines else ""


def nearest(name: str, known: Collection[str], likeness: float = 0.6) -> str | None:
    """Return the name in ``known`` that is most like ``name``, ignoring case; None if none is like enough."""
    lower = {key.lower(): key for key in known}
    near = get_close_matches(name.lower(), lower, n=1, cutoff=likeness)
    return lower[near[0]] if near else None


def listed(names: Sequence[str], most: int = MOST_NAMES) -> str:
    """Return names for a sentence, at most ``most`` of them: ``a, b and 3 more``."""
    left = len(names) - most
    return ", ".join(names) if left <= 0 else f"{', '.join(names[:most])} and {left:,} more"


def suggestion(name: str, known: Collection[str]) -> str:
    """Return the remedy for a name that is not among ``known``: the nearest name, or all of them."""
    near = nearest(name, known)
    if near is not None:
        return f'did you mean "{near}"?'
    if len(known) < 2:
        return f'there is only "{next(iter(known))}"' if known else "there are none"
    names = sorted(known)
    return f"there are {', '.join(names[:MOST_NAMES])}{', …' if len(names) > MOST_NAMES else ''}"


def target_text(address: str) -> str:
    """Return where messages go, as the database stores it, without what may be secret."""
    target = json.loads(address)
    if "command" in target:
        command = target["command"]
        return shortened(command if isinstance(command, str) else " ".join(command), 60)
    what = "ping " if target.get("ping") else ""
    if "url_env" in target:
        return f"{what}${target['url_env']}"
    parts = urlsplit(target["url"])
    return f"{what}{parts.scheme}://{parts.netloc}/…"
