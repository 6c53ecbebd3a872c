"""Values as TOML writes them."""

import json
import re
from collections.abc import Mapping
from typing import Any

DURATIONS = frozenset(
    ["every", "backoff", "finish_by", "jitter", "run_timeout", "stall_after", "start_within", "timeout"]
)
"""The settings of schedules and jobs that are stored in seconds, and written as durations."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ON_A_LINE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f']*")
"""Text that single quotes can hold."""


def key_text(name: str) -> str:
    """Return a key."""
    return name if _BARE.fullmatch(name) else string_text(name)


def string_text(text: str) -> str:
    r"""Return a string: as JSON writes it, or between single quotes where that spares backslashes."""
    if ('"' in text or "\\" in text) and text.isprintable() and _ON_A_LINE.fullmatch(text):
        return f"'{text}'"
    return "".join(one if one.isprintable() else _escaped(one) for one in json.dumps(text, ensure_ascii=False))


def value_text(value: Any) -> str:
    """Return a value that JSON can hold, but for null, on one line."""
    match value:
        case str():
            return string_text(value)
        case Mapping():
            return f"{{ {', '.join(f'{key_text(name)} = {value_text(one)}' for name, one in value.items())} }}"
        case list() | tuple():
            return f"[{', '.join(map(value_text, value))}]"
        case _:
            return json.dumps(value)


def _escaped(character: str) -> str:
    """Return a character that may change how those around it are shown."""
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
