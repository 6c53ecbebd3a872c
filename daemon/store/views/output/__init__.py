"""The output of a run's jobs: what is kept of it, in order, and how much is missing where."""

from .attempt import AttemptOutput, OutputLine, read_attempt_output
from .reader import OutputOfRun, OutputPart, OutputReader, last_lines, require_attempt, tails

__all__ = [
    "AttemptOutput",
    "OutputLine",
    "OutputOfRun",
    "OutputPart",
    "OutputReader",
    "last_lines",
    "read_attempt_output",
    "require_attempt",
    "tails",
]
