"""Names that users give, and how a sentence shows what they wrote."""

import unicodedata
from collections.abc import Iterable

from ..errors import DefinitionError, Place

LONGEST_NAME = 200
LONGEST_LOCK = 255


def check_name(what: str, name: object, place: Place, *, most: int = LONGEST_NAME, slash: bool = True) -> str:
    """Return ``name``, or raise `DefinitionError`."""
    if not isinstance(name, str) or not name.strip() or name != name.strip():
        raise DefinitionError(place, f"{shown(name)} is no name of {what}", "give a text without spaces around it")
    if len(name) > most:
        raise DefinitionError(
            place, f'the name of {what} "{name[:20]}…" has {len(name)} characters', f"{most} are the most"
        )
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in name):
        raise DefinitionError(place, f"the name of {what} {name!r} has control characters", "leave them out")
    if not slash and "/" in name:
        raise DefinitionError(
            place, f'the name of {what} "{name}" has a "/"', 'leases are named with it; use "-" or "."'
        )
    return name


def shown(value: object) -> str:
    """Return ``value`` as a sentence shows it, shortened."""
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def refuse_twice(what: str, names: Iterable[str], place: Place) -> None:
    """Raise `DefinitionError` if a name comes twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DefinitionError(place, f'there are two {what}s named "{name}"', "rename one of them")
        seen.add(name)
