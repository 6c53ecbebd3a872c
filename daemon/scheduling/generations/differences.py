"""The differences between two generations, by the names of their schedules. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from ...text import listed

Fingerprints = Mapping[str, tuple[str, str]]
"""By schedule, a digest of what execution reads of it, and one of all of it."""


@dataclass(frozen=True, slots=True)
class Differences:
    """The schedules in which one generation differs from another."""

    renamed: tuple[str, ...] = ()
    """They execute the same under another name: ``night, here nightly``."""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """They execute something else."""
    retimed: tuple[str, ...] = ()
    """They execute the same, but are due at other times, or described otherwise."""

    def __str__(self) -> str:
        """Return them as text: ``added: a; removed: b, c``."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        named["other timing or description"] = named.pop("retimed")
        return "; ".join(f"{what}: {listed(names)}" for what, names in named.items() if names)


def differences(own: Fingerprints, other: Fingerprints) -> Differences:
    """Return in what ``own`` differs from ``other``."""
    both = sorted(own.keys() & other.keys())
    gone = {other[name][0]: name for name in other.keys() - own.keys()}
    renamed = {name: gone[own[name][0]] for name in sorted(own.keys() - other.keys()) if own[name][0] in gone}
    return Differences(
        renamed=tuple(f"{before}, here {name}" for name, before in renamed.items()),
        added=tuple(sorted(own.keys() - other.keys() - renamed.keys())),
        removed=tuple(sorted(other.keys() - own.keys() - set(renamed.values()))),
        changed=tuple(name for name in both if own[name][0] != other[name][0]),
        retimed=tuple(name for name in both if own[name][0] == other[name][0] and own[name][1] != other[name][1]),
    )
