"""The mutants that a seed draws from a part of the product, and those of them that change nothing."""

import random
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutant import Edit
from tests.mutants.random.mutations import mutations
from tests.mutants.random.source import Mutation, Span

LIST = Path(__file__).with_name("equivalent.toml")


@dataclass(frozen=True, slots=True)
class Part:
    """Rooms of a package, without the folders in them that stay as they were released, and the tests of them."""

    package: str
    rooms: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()

    def has(self, file: str) -> bool:
        return _is_in(file, self.rooms) and not _is_in(file, self.without)

    def texts(self, tree: Path) -> dict[str, str]:
        """Return its files in this tree by their paths there."""
        found = sorted(path for room in self.rooms for path in (tree / room).rglob("*.py"))
        texts = {str(path.relative_to(tree)): path for path in found}
        return {file: path.read_text(encoding="utf-8") for file, path in texts.items() if self.has(file)}


def _is_in(file: str, folders: tuple[str, ...]) -> bool:
    return file.startswith(tuple(f"{folder}/" for folder in folders))


PARTS: Mapping[str, Part] = {
    "lease": Part("lease", ("lease",), ("tests/lease", "tests/model", "tests/daemon")),
    "daemon": Part(
        "daemon",
        ("daemon/scheduling", "daemon/execution", "daemon/recovery", "daemon/store"),
        ("tests/daemon",),
        without=("daemon/store/migrations/versions",),
    ),
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A mutation of a file of the product."""

    file: str
    text: str
    mutation: Mutation

    @property
    def line(self) -> int:
        return self.text.count("\n", 0, self.mutation.span.start) + 1

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def was(self) -> str:
        return self.mutation.was(self.text)

    @property
    def now(self) -> str:
        return self.mutation.now(self.text)

    @property
    def edit(self) -> Edit:
        return Edit(self.file, self.text, self.mutation.apply(self.text))


def draw(texts: Mapping[str, str], seed: int, count: int) -> list[Drawn]:
    """Return ``count`` mutants, or as many as there are, each at another place of these files."""
    chance = random.Random(seed)
    places: defaultdict[tuple[str, Span], list[Drawn]] = defaultdict(list)
    for one in every_mutant(texts):
        places[one.file, one.mutation.span].append(one)
    drawn = chance.sample(sorted(places), min(count, len(places)))
    return [chance.choice(places[place]) for place in drawn]


def every_mutant(texts: Mapping[str, str]) -> list[Drawn]:
    """Return all mutants of these files."""
    return [Drawn(file, text, one) for file, text in sorted(texts.items()) for one in mutations(text)]


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
