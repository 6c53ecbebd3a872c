"""The outcome of one attempt of a job."""

from dataclasses import dataclass

from ..states import JobOutcome


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state in which an attempt ended, and what is known about it."""

    state: JobOutcome
    error: str | None = None
    tail: str = ""
    """The last of what it printed."""
    status: int | None = None
    """The exit status of a child; None if a signal ended it, or for a task."""
    signal: int | None = None
