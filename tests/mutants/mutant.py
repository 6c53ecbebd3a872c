"""A mutant: the product with one promise broken on purpose, and the checks that must notice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["postgres", "sqlite"]
Checks = tuple[str, ...]
"""The node ids of tests, each of which must fail by itself."""


class MutantOutdatedError(Exception):
    """The text that a mutant replaces has changed: adapt the mutant to the code as it is now."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A piece of source text that is in its file exactly once, and its replacement."""

    file: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        """Return the file's text with the edit; MutantOutdatedError unless `old` is in it once."""
        times = text.count(self.old)
        if times != 1:
            first = self.old.strip().splitlines()[0]
            raise MutantOutdatedError(
                f'{self.file}: what a mutant replaces ("{first}" and so on) should be there once, and is there {times} times; '
                "adapt its edit in tests/mutants/named to the code as it is now"
            )
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A wrong variant of the product; `caught_by` has its checks by kind of database."""

    name: str
    says: str
    edits: tuple[Edit, ...]
    caught_by: Mapping[Kind, Checks] = field(default_factory=dict)
    needs_pooler: bool = False
    """Its checks are skipped where PgBouncer is not installed."""
    in_campaigns: str = ""
    """The word for what a campaign finds of it (`tests.mutants.in_campaigns.found`)."""
