"""Names that users give, and how a sentence shows what they wrote."""

import unicodedata
from collections.abc import Collection, Iterable
from difflib import get_close_matches

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


def nearest(name: str, known: Collection[str]) -> str:
    """Return a remedy for ``name``: the nearest of ``known``, or all of them."""
    near = nearest_in(name, known)
    return f'did you mean "{near}"?' if near else f"there are {', '.join(sorted(known))}"


def shown(value: object) -> str:
    """Return ``value`` as a sentence shows it, shortened."""
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def nearest_in(name: str, known: Collection[str], likeness: float = 0.6) -> str | None:
    """Return the one of ``known`` that is most like ``name``, if one is like enough."""
    lower = {one.lower(): one for one in known}
    near = get_close_matches(name.lower(), lower, n=1, cutoff=likeness)
    return lower[near[0]] if near else None


def refuse_twice(what: str, names: Iterable[str], place: Place) -> None:
    """Raise `DefinitionError` if a name comes twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DefinitionError(place, f'there are two {what}s named "{name}"', "rename one of them")
        seen.add(name)
