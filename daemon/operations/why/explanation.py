"""The answer to why: the state of a schedule or a run in one sentence, the evidence for it, and commands that help."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ...text import ago, when

State = Literal[
    "retired",
    "not active",
    "disabled",
    "paused",
    "no replica",
    "no definition",
    "stuck",
    "silent",
    "late",
    "late to finish",
    "running",
    "long",
    "waiting",
    "failing",
    "skipped",
    "on request",
    "ended",
    "excluded",
    "due",
    "succeeded",
    "failed",
    "abandoned",
    "cancelled",
]
"""What is so. Of a schedule, the first of those that keep it from running; of a run, its state, and what is wrong."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact behind the sentence."""

    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is so, and what to do."""

    state: State
    text: str
    since: datetime | None = None
    """Since when, if that is known."""
    until: datetime | None = None
    """When it changes without anybody's help: the next scheduled time, the end of a pause, the next attempt."""
    next: tuple[str, ...] = ()
    """The commands that tell more, or help."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A sentence about a schedule or a run, with its evidence."""

    application: str
    schedule: str
    run_id: int | None
    """None: it is about the schedule."""
    sentence: Sentence
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Moments:
    """How instants are written: by the clock, and how far away."""

    now: datetime
    written: Callable[[datetime], str] = when

    def __call__(self, moment: datetime) -> str:
        """Return a moment as text: ``Sun 02:00 (3h ago)``."""
        return f"{self.written(moment)} ({self.ago(moment)})"

    def back(self, seconds: float) -> datetime:
        """Return the moment so many seconds ago."""
        return self.now - timedelta(seconds=seconds)

    def ago(self, moment: datetime) -> str:
        """Return how far away a moment is: ``3h ago``, ``in 5m``."""
        return ago((self.now - moment).total_seconds())


Facts = Iterator[tuple[str, str | None]]


def evidence(facts: Facts) -> tuple[Evidence, ...]:
    """Return the facts that there are."""
    return tuple(Evidence(what, text) for what, text in facts if text)


def joined(texts: Sequence[str | None]) -> str:
    """Return the parts of a sentence that there are, joined."""
    return "; ".join(text for text in texts if text)
