"""The violations: promises that a history breaks."""

from dataclasses import dataclass
from enum import StrEnum

from .facts import Fact


class Promise(StrEnum):
    """The promises that every history must keep."""

    TOKENS = "tokens"
    """The tokens of a name's grants strictly increase (rule 5)."""
    OVERLAP = "overlap"
    """A name is granted again only after its grant has ended or gone stale (rule 4)."""
    WRITES = "writes"
    """No fenced write is committed under a grant that has ended (rule 11)."""
    CHILDREN = "children"
    """Work under a grant is dead before the next grant (rules 9 and 20)."""
    RECOVERY = "recovery"
    """An interrupted run resumes in time (rule 18)."""
    TURNS = "turns"
    """A run has one holder at a time, and only that holder ends it (rules 10 and 15)."""
    INSTANTS = "instants"
    """Each due instant is accounted for by exactly one run (rule 13)."""
    FINAL = "final"
    """Each run is over in the end, and no attempt counts as running without its run (rule 15)."""
    EFFECTS = "effects"
    """A job succeeds once in a run, and the effect that a history tells of it is there once (rule 16)."""
    DEFINITIONS = "definitions"
    """An attempt executes the definition of its run, which only an adoption changes (rule 22)."""
    CANCELS = "cancels"
    """A run that was cancelled never goes on, and the run that replaces it starts after its end (rule 23)."""
    BACKFILLS = "backfills"
    """A backfill makes one run of each instant, of none that had succeeded, and no more at a time than it may (rule 23)."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise in words, with the facts that show it."""

    promise: Promise
    what: str
    facts: tuple[Fact, ...] = ()

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}"
