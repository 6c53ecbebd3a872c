"""What a history consists of. All times are the database's (UTC), unless a fact says otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lease.model import Grant

# What happens to a lease


@dataclass(frozen=True, slots=True)
class GrantBegan:
    """A lease was granted."""

    grant: Grant
    at: datetime
    until: datetime | None = None
    """When it goes stale unless it is renewed; None where that is not known."""


@dataclass(frozen=True, slots=True)
class GrantRenewed:
    """A grant was renewed."""

    grant: Grant
    at: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class GrantEnded:
    """A grant was released by its holder, or settled."""

    grant: Grant
    at: datetime


@dataclass(frozen=True, slots=True)
class Deleted:
    """The row of a lease was deleted, and its token with it (against rule 5)."""

    name: str
    at: datetime | None = None
    """None where only its absence is known."""


@dataclass(frozen=True, slots=True)
class HighestToken:
    """What the row of a lease has, when the history was read."""

    name: str
    token: int


# What is done under a grant


@dataclass(frozen=True, slots=True)
class Written:
    """A fenced transaction was committed."""

    grant: Grant
    at: datetime
    """When it was committed, or on SQLite (one writer) when it wrote."""
    run: int | None = None
    job: str | None = None


@dataclass(frozen=True, slots=True)
class FencedWriteRefused:
    """A fenced write was tried, and refused."""

    grant: Grant
    at: datetime


@dataclass(frozen=True, slots=True)
class Worked:
    """A process worked under a grant."""

    grant: Grant
    began: datetime
    last_seen: datetime
    """Its last sign of life; it may have lived a little longer."""
    survivors: tuple[int, ...] = ()
    """The processes of earlier attempts that it found alive when it began."""


# What becomes of a run


@dataclass(frozen=True, slots=True)
class RunClaimed:
    """A run was claimed under a grant."""

    run: int
    grant: Grant
    at: datetime


@dataclass(frozen=True, slots=True)
class RunLeft:
    """A run was no longer running: it is over, or goes on later, or was settled. ``grant`` is the one that its row had until then."""

    run: int
    grant: Grant
    at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class RunSettled:
    """A run's attempt was ended by another than its holder, or because its holder had lost the lease: it goes on, or has failed."""

    run: int
    grant: Grant
    at: datetime
    over: bool = False


@dataclass(frozen=True, slots=True)
class RunStranded:
    """A run that counted as running when the history was read, although its grant had ended or gone stale."""

    run: int
    grant: Grant
    since: datetime
    at: datetime
    """When the history was read."""


@dataclass(frozen=True, slots=True)
class Due:
    """An instant of a schedule."""

    schedule: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ScheduleProgress:
    """How far a schedule was planned when the history was read, and when it is planned next."""

    schedule: str
    until: datetime
    """Instants up to and including this one have their runs."""
    next_due: datetime | None
    first_after: datetime | None
    """The first instant after ``until``, as its definition has it: `next_due` should be that."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run as its row has it when the history was read."""

    run: int
    schedule: str
    first: datetime
    """The instant that it accounts for, or the first of those that a counted one stands for."""
    last: datetime
    count: int
    state: str
    over: bool
    manual: bool = False
    succeeded: Mapping[str, int] = field(default_factory=dict)
    """How many attempts of each of its jobs are recorded as succeeded."""
    jobs: tuple[str, ...] | None = None
    """The jobs that it has to do; None where that is not known."""
    left_running: tuple[str, ...] = ()
    """The jobs of which an attempt counts as running, though nobody has the run, or not under that grant."""


# What was done to it all from outside


@dataclass(frozen=True, slots=True)
class Outage:
    """In this time nobody could have recovered anything: the database was away or was held up, say."""

    began: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The database's clock was set forward: grants may overlap there (rule 1)."""

    at: datetime


Fact = (
    GrantBegan
    | GrantRenewed
    | GrantEnded
    | Deleted
    | HighestToken
    | Written
    | FencedWriteRefused
    | Worked
    | RunClaimed
    | RunLeft
    | RunSettled
    | RunStranded
    | Due
    | ScheduleProgress
    | Recorded
    | Outage
    | ClockJump
)
