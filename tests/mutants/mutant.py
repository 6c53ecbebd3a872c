"""What a mutant is: the product with one promise broken on purpose, and the checks that must notice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["postgres", "sqlite"]
Checks = tuple[str, ...]
"""The node ids of tests, each of which must fail by itself."""


class MutantOutdatedError(Exception):
    """The text that a mutant replaces is not in the code as it was: write the mutant anew for the code as it is."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A piece of source text, which stands in its file exactly once, and what stands there in the mutant."""

    file: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        """Return the file's text with the edit; MutantOutdatedError unless `old` is in it once."""
        times = text.count(self.old)
        if times != 1:
            first = self.old.strip().splitlines()[0]
            raise MutantOutdatedError(
                f'{self.file}: what a mutant replaces ("{first}" and so on) should be there once, and is there {times} times'
            )
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A wrong variant of the product. `caught_by` has the checks of each kind of database on which it is wrong."""

    name: str
    says: str
    edits: tuple[Edit, ...]
    caught_by: Mapping[Kind, Checks] = field(default_factory=dict)
    in_campaigns: bool = False
    """A chaos campaign catches it too, on each kind of database: `test_in_a_campaign`."""


def on_each(node: str) -> dict[Kind, Checks]:
    """Name a check that runs once on each kind of database: `{}` stands for the kind in its node id."""
    return {"postgres": (node.format("postgres"),), "sqlite": (node.format("sqlite"),)}


def on_either(*nodes: str) -> dict[Kind, Checks]:
    """Name checks that need no database: what they hold for is the same on both."""
    return {"postgres": nodes, "sqlite": nodes}


def on_postgres(*nodes: str) -> dict[Kind, Checks]:
    """Name checks of a mistake that there is on PostgreSQL only."""
    return {"postgres": nodes}


def on_sqlite(*nodes: str) -> dict[Kind, Checks]:
    """Name checks of a mistake that there is on SQLite only."""
    return {"sqlite": nodes}
