"""The facts about a replica at work, emitted as they happen; subscribers format and count them.

They are public: `docs/reference/facts.md` says how programs and packages subscribe. Each is delivered at most once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from lease.events import Event

from ..states import (
    DeliveryKind,
    DeliveryOutcome,
    JobOutcome,
    LongLevel,
    RunCause,
    RunOutcome,
    RunState,
    Settlement,
    SkipReason,
)

# What a fact is about


@dataclass(frozen=True, slots=True)
class RunSubject:
    """A run under one grant, and the replica that reports on it."""

    application: str
    schedule: str
    run_id: int
    token: int
    replica: str
    """The replica in a form for people: host and process id."""


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
    waited: float | None = None
    """Seconds for which it could have started, by the database's clock; None if it was claimed before."""
    traceparent: str | None = None
    """The span of the request for it, as W3C Trace Context writes it; None if there is none."""
    attempt: int = 1
    """How often it has been claimed."""
    cause: RunCause = "schedule"
    """Why it was made."""
    scheduled_for: datetime | None = None
    """Its scheduled time, or when it was requested."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """This replica's execution of a run has ended; the run may be over, pending again, or lost."""

    run: RunSubject
    outcome: RunOutcome
    reason: str | None
    seconds: float | None = None
    """How long it had it."""


@dataclass(frozen=True, slots=True)
class RunCancelled:
    """This replica heard that a run at work here is marked as cancelled, and stops its job (rule
    23).
    """

    run: RunSubject
    by: str
    why: str | None


@dataclass(frozen=True, slots=True)
class TimesSkipped:
    """This replica recorded that scheduled times do not run."""

    application: str
    schedule: str
    reason: SkipReason
    count: int


@dataclass(frozen=True, slots=True)
class RunLate:
    """A run has not succeeded by its deadline (`finish_by`), and goes on; one replica tells it once."""

    application: str
    schedule: str
    run_id: int
    state: RunState
    """It waits, or is at work."""
    finish_by: datetime


@dataclass(frozen=True, slots=True)
class RunLong:
    """A run has been running for so long that it is at another level (`long`), and goes on; told once for each level."""

    application: str
    schedule: str
    run_id: int
    level: LongLevel
    seconds: float
    threshold: float
    """The seconds from which on it is at this level."""


@dataclass(frozen=True, slots=True)
class RunRecovered:
    """This replica settled an attempt that another replica left behind (rule 18)."""

    run: RunSubject
    """With the token of the grant that was ended."""
    settlement: Settlement
    at_startup: bool = False
    gone: bool = False
    """The death of that replica was proven, and its lease did not have to go stale first."""
    lived: bool = False
    """That replica did not die, but had lost its lease."""


@dataclass(frozen=True, slots=True)
class WriteRefused:
    """A write of this replica changed no row because its grant had ended (rule 10)."""

    run: RunSubject
    who: str
    """A sentence that says who has the run now."""


# Jobs


@dataclass(frozen=True, slots=True)
class JobStarted:
    """An attempt of a job starts."""

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
    """A job printed or logged lines: all that were read at once."""

    job: JobSubject
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobEnded:
    """An attempt of a job is over."""

    job: JobSubject
    outcome: JobOutcome
    seconds: float
    error: str | None


# The replica itself


@dataclass(frozen=True, slots=True)
class ReplicaStarted:
    """A replica has registered itself, and is about to bring its definitions."""

    replica: str
    """In a form for people: host and process id."""
    version: str
    application: str
    generation: int | None
    """The generation that its definitions are; None if they have never been brought."""
    database: str
    """Its URL without a password."""
    ttl: float
    """How long its leases last after their last renewal, in seconds."""


@dataclass(frozen=True, slots=True)
class ReplicaEnded:
    """A replica has ended in order: it holds nothing any more."""

    replica: str
    seconds: float
    """How long it was up."""
    runs: Mapping[RunOutcome, int]
    """How many runs it executed, by how its execution of them ended."""


@dataclass(frozen=True, slots=True)
class SchedulesRetired:
    """The definitions of this replica became active, and retired schedules that they do not have."""

    application: str
    schedules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MessageSent:
    """This replica tried to deliver a message or a ping."""

    application: str
    schedule: str
    run_id: int | None
    kind: DeliveryKind
    to: str
    """The target, in a form that shows no secret."""
    outcome: DeliveryOutcome
    """failed: it is tried again; given up: it is not; gone: neither are others to this target."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class NextDue:
    """Another schedule or time is due next; with None, nothing is due any more."""

    schedule: str | None
    at: datetime | None
    """By this machine's clock."""


@dataclass(frozen=True, slots=True)
class LoopBlocked:
    """An async job blocks the event loop of all async jobs (rule 25)."""

    job: JobSubject | None
    """None: a callback whose job is not known."""
    where: str
    """The file, line and function where it stands."""


@dataclass(frozen=True, slots=True)
class LoopFreed:
    """The event loop of async jobs goes on, after it was blocked for ``seconds``."""

    job: JobSubject | None
    seconds: float


@dataclass(frozen=True, slots=True)
class LeaseChanged:
    """A fact about a lease of this replica."""

    event: Event


@dataclass(frozen=True, slots=True)
class DatabaseAway:
    """The database cannot be used; the replica keeps trying."""

    error: str


@dataclass(frozen=True, slots=True)
class DatabaseBack:
    """The database can be used again after ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class SubscriberFailed:
    """A subscriber raised an error or does not keep up; reported once, to the others."""

    subscriber: str
    problem: str


@dataclass(frozen=True, slots=True)
class Note:
    """Anything else that people want to know, as one sentence."""

    text: str
    is_warning: bool = False
    """Something is wrong that somebody should look at."""


Fact = (
    RunStarted
    | RunEnded
    | RunCancelled
    | TimesSkipped
    | RunLate
    | RunLong
    | RunRecovered
    | WriteRefused
    | JobStarted
    | JobProgressed
    | JobPrinted
    | JobEnded
    | ReplicaStarted
    | ReplicaEnded
    | SchedulesRetired
    | MessageSent
    | NextDue
    | LoopBlocked
    | LoopFreed
    | LeaseChanged
    | DatabaseAway
    | DatabaseBack
    | SubscriberFailed
    | Note
)
Notify = Callable[[Fact], None]
"""Takes a fact; never waits and never raises."""
