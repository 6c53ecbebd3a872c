"""The answer about generations."""

from dataclasses import dataclass

from ..operations.changed import Changed
from ..operations.generations import GenerationStanding


@dataclass(frozen=True, slots=True)
class GenerationsAnswer:
    """The answer of `leased generations --json`."""

    items: list[GenerationStanding]
    diff: list[Changed] | None = None
    """With `--diff`: what the generation changed."""
