"""The answer about generations."""

from dataclasses import dataclass

from ..operations.generations import GenerationStanding


@dataclass(frozen=True, slots=True)
class GenerationsAnswer:
    """The answer of `leased generations --json`."""

    items: list[GenerationStanding]
