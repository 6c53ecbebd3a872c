"""Facts of a replica at work, as they happen. Subscribers format, count and keep them; nothing here does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lease.events import Event

from ..states import JobOutcome, RunOutcome

# What a fact is about


@dataclass(frozen=True, slots=True)
class RunSubject:
    """A run under one grant, and the replica that reports of it."""

    application: str
    schedule: str
    run_id: int
    token: int
    replica: str
    """The replica as people know it: host and process id."""


@dataclass(frozen=True, slots=True)
class JobSubject:
    """One attempt of a job of a run; attempts count from 1."""

    run: RunSubject
    name: str
    attempt: int


# Runs


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run was claimed, or taken over, under this token."""

    run: RunSubject


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run has left the hands of this replica: it is over, back to pending, or lost with its lease."""

    run: RunSubject
    outcome: RunOutcome
    reason: str | None


@dataclass(frozen=True, slots=True)
class RunRecovered:
    """This replica ended an attempt that another one had left behind (rule 18)."""

    run: RunSubject
    """With the token of the grant that was ended."""
    settlement: Literal["abandoned", "stopped", "failed"]
    at_startup: bool = False


@dataclass(frozen=True, slots=True)
class WriteRefused:
    """A write of this replica changed no row, because its grant had ended (rule 10)."""

    run: RunSubject
    holder: str
    """A sentence: who has the run now."""


# Jobs


@dataclass(frozen=True, slots=True)
class JobStarted:
    """An attempt of a job begins."""

    job: JobSubject


@dataclass(frozen=True, slots=True)
class JobProgressed:
    """A job reported how far it has come."""

    job: JobSubject
    done: float
    total: float | None
    message: str | None


@dataclass(frozen=True, slots=True)
class JobPrinted:
    """A job printed or logged a line."""

    job: JobSubject
    line: str


@dataclass(frozen=True, slots=True)
class JobEnded:
    """An attempt of a job is over."""

    job: JobSubject
    outcome: JobOutcome
    seconds: float
    error: str | None


# The replica itself


@dataclass(frozen=True, slots=True)
class LeaseChanged:
    """A fact about a lease of this replica."""

    event: Event


@dataclass(frozen=True, slots=True)
class DatabaseAway:
    """The database cannot be used; the replica tries again until it can."""

    error: str


@dataclass(frozen=True, slots=True)
class DatabaseBack:
    """The database can be used again, after this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class SubscriberFailed:
    """A subscriber raised an error, or does not keep up; reported once, to the others."""

    subscriber: str
    problem: str


@dataclass(frozen=True, slots=True)
class Note:
    """Anything else that a person wants to know, as one sentence."""

    text: str


Fact = (
    RunStarted
    | RunEnded
    | RunRecovered
    | WriteRefused
    | JobStarted
    | JobProgressed
    | JobPrinted
    | JobEnded
    | LeaseChanged
    | DatabaseAway
    | DatabaseBack
    | SubscriberFailed
    | Note
)
Notify = Callable[[Fact], None]
"""Takes a fact; never waits and never raises."""
