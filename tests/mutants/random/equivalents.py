"""The mutations that change nothing that anyone could notice, each with its reason."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.random.drawing import Drawn

LIST = Path(__file__).with_name("equivalent.toml")


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A mutation by what it changes, wherever in its file that is now."""

    file: str
    was: str
    now: str
    because: str

    def is_of(self, drawn: Drawn) -> bool:
        return (self.file, self.was, self.now) == (drawn.file, drawn.was, drawn.now)


def read_equivalents(path: Path = LIST) -> list[Equivalent]:
    return [Equivalent(**one) for one in tomllib.loads(path.read_text(encoding="utf-8")).get("mutation", [])]


def reason(drawn: Drawn, equivalents: Iterable[Equivalent]) -> str | None:
    """Return why this mutant is none, or None."""
    return next((one.because for one in equivalents if one.is_of(drawn)), None)
