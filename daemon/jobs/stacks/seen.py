"""What was seen of a job at work, in text that is safe to store and to show."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ...text import clean

MOST_FRAMES = 40
MOST_STACKS = 20
MOST_PROCESSES = 50
_LONGEST = 300
"""The characters of a line that are kept."""

ProcessState = Literal["running", "sleeping", "waiting for the kernel", "stopped", "ended", "unknown"]


@dataclass(frozen=True, slots=True)
class SeenProcess:
    """A process of a job."""

    pid: int
    parent: int
    state: ProcessState
    waits_in: str | None
    """The function of the kernel in which it waits, where the kernel tells."""
    cpu_seconds: float
    command: str
    """Its command line, with `***` in place of what may be secret."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Where a thread or a task stands."""

    of: str
    frames: Sequence[str]
    """``file:line in function``, the innermost first."""
    count: int = 1
    """How many threads or tasks stand there."""


@dataclass(frozen=True, slots=True)
class SeenWork:
    """What was seen of the work of a job."""

    processes: Sequence[SeenProcess] = ()
    stacks: Sequence[Stack] = ()
    remarks: Sequence[str] = ()
    """What could not be seen, and why; a sentence each."""


def line(text: str) -> str:
    """Return a line of text that is safe to show."""
    return clean(text.encode(errors="replace").decode(errors="replace"))[:_LONGEST]


def bounded(stacks: Iterable[tuple[str, Sequence[str]]]) -> tuple[Stack, ...]:
    """Return the stacks, those that are the same once, and of each no more than can be read."""
    counted = Counter((line(of), _cut(frames)) for of, frames in stacks)
    return tuple(Stack(of, frames, count) for (of, frames), count in list(counted.items())[:MOST_STACKS])


def _cut(frames: Sequence[str]) -> tuple[str, ...]:
    kept = tuple(line(frame) for frame in frames[:MOST_FRAMES])
    return kept if len(frames) <= MOST_FRAMES else (*kept, f"and {len(frames) - MOST_FRAMES:,} frames further out")
