"""The outcome of one attempt of a job."""

from dataclasses import dataclass

from ..states import JobOutcome
from .output.transcript import Piece


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state in which an attempt ended, and what is known about it."""

    state: JobOutcome
    error: str | None = None
    tail: Piece | None = None
    """What it printed and is not known to be saved."""
    status: int | None = None
    """The exit status of a child; None if a signal ended it, or for a task."""
    signal: int | None = None
    stalled: bool = False
    """`stall_after` ended it."""
    ends_run: bool = False
    """The time of the whole run is over, so nothing more of it is started."""
    peak_memory: int | None = None
    """The bytes that the largest process of a child's tree had in memory at its peak."""
