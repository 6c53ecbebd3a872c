"""The output of a run's jobs: what is kept of it, in order, and how much is missing where."""

from .reader import OutputOfRun, OutputPart, OutputReader, last_lines, tails

__all__ = ["OutputOfRun", "OutputPart", "OutputReader", "last_lines", "tails"]
