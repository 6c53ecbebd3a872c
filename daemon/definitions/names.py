"""Names that users give: of applications, schedules, jobs and locks."""

import unicodedata
from collections.abc import Iterable
from typing import Literal

from .refusal import Refusal, shown

Named = Literal["application", "schedule", "job", "lock"]

_LONGEST: dict[Named, int] = {"application": 200, "schedule": 200, "job": 200, "lock": 255}


def check_name(kind: Named, name: object) -> str:
    """Return ``name``; raises `Refusal`."""
    of = f"of {'an' if kind == 'application' else 'a'} {kind}"
    if not isinstance(name, str) or not name.strip() or name != name.strip():
        raise Refusal(f"{shown(name)} is not the name {of}", "give a string without spaces around it")
    if len(name) > _LONGEST[kind]:
        raise Refusal(f'the name {of} "{name[:20]}…" has {len(name)} characters', f"{_LONGEST[kind]} are the most")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in name):
        raise Refusal(f"the name {of} {shown(name)} has control characters", "leave them out")
    if "/" in name and kind in {"application", "schedule"}:
        raise Refusal(f'the name {of} "{name}" has a "/"', 'leases are named with it; use "-" or "."')
    if kind == "lock" and name.startswith("run/"):
        raise Refusal(f'{shown(name)} begins with "run/", which belongs to the daemon', "choose another name")
    return name


def refuse_twice(what: str, names: Iterable[str]) -> None:
    """Raise `Refusal` if a name comes twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Refusal(f'there are two {what}s named "{name}"', "rename one of them")
        seen.add(name)
