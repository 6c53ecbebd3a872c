"""The site: what a benchmark is given to measure with."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeVar

from tests.support.databases import make_tables

from .progress import tell
from .stores import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Site:
    """Databases, a folder for files, and how much to measure."""

    stores: tuple[Store, ...]
    folder: Path
    rounds: int = 3
    quick: bool = False
    large: bool = False
    """Also the sizes that take an hour."""
    left_out: list[str] = field(default_factory=list)
    """Sentences about what could not be measured; a benchmark adds to them."""
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def size(self, full: T, quick: T) -> T:
        """Return the one that is to be measured."""
        return quick if self.quick else full

    def in_rounds(self, measure: Callable[[int], T], what: str) -> list[T]:
        """Measure once in each round."""
        measured = []
        for number in range(1, self.rounds + 1):
            tell(f"{what}: round {number} of {self.rounds}")
            measured.append(measure(number))
        return measured

    def new_folder(self) -> Path:
        """Make a folder for the files of one trial."""
        folder = self.folder / f"trial-{next(self._numbers)}"
        folder.mkdir()
        return folder

    def store(self, database: str) -> Store | None:
        """Return the place of this kind, or None if there is none."""
        return next((store for store in self.stores if store.facts.database == database), None)


@contextmanager
def migrated(store: Store) -> Iterator[str]:
    """Yield the URL of a new database with leased's tables."""
    with store.empty() as url:
        make_tables(url)
        yield url
