"""The answer about what is wrong with an installation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["green", "yellow", "red"]


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check."""

    check: str
    level: Level
    text: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class DoctorAnswer:
    """The answer of `leased doctor --json`."""

    ok: bool
    """No check is red."""
    items: Sequence[Check]
    """The worst first."""
