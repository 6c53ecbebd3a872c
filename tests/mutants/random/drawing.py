"""The mutants that a seed draws."""

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from tests.mutants.mutant import Edit
from tests.mutants.random.mutation import Mutation, Span
from tests.mutants.random.mutations import mutations


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
