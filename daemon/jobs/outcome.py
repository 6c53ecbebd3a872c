"""How one attempt of a job ended."""

from dataclasses import dataclass
from typing import Literal

OutcomeState = Literal["succeeded", "failed", "stopped", "lost"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt of a job ended."""

    state: OutcomeState
    """stopped: on request (a drain); lost: with its lease. Neither uses up an attempt."""
    error: str | None = None
    tail: str = ""
    status: int | None = None
    signal: int | None = None
