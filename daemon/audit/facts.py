"""The facts of a history. All times are the database's (UTC), unless a fact says otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lease.model import Grant

from ..states import RunState

# What happens to a lease


@dataclass(frozen=True, slots=True)
class GrantBegan:
    """A lease was granted."""

    grant: Grant
    at: datetime
    until: datetime | None = None
    """When it goes stale unless it is renewed; None if unknown."""


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
    """None if only its absence is known."""


@dataclass(frozen=True, slots=True)
class HighestToken:
    """The token in the row of a lease when the history was read."""

    name: str
    token: int


# What happens under a grant


@dataclass(frozen=True, slots=True)
class Written:
    """A fenced transaction was committed."""

    grant: Grant
    at: datetime
    """When it was committed; on SQLite, which has one writer, when it wrote."""
    run: int | None = None
    job: str | None = None


@dataclass(frozen=True, slots=True)
class FencedWriteRefused:
    """A fenced write was attempted and refused."""

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
    """The processes of earlier attempts that were alive when it started."""


# What happens to a run


@dataclass(frozen=True, slots=True)
class RunClaimed:
    """A run was claimed under a grant."""

    run: int
    grant: Grant
    at: datetime


@dataclass(frozen=True, slots=True)
class RunLeft:
    """A run stopped running: it is over, pending again, or settled.

    ``grant`` is the grant in its row until then.
    """

    run: int
    grant: Grant
    at: datetime
    state: RunState


@dataclass(frozen=True, slots=True)
class RunSettled:
    """A run was settled: its attempt was ended by another replica, or its holder had lost the
    lease.

    ``over``: it has failed; otherwise it goes on.
    """

    run: int
    grant: Grant
    at: datetime
    over: bool = False


@dataclass(frozen=True, slots=True)
class RunStranded:
    """A run recorded as running when the history was read, although its grant was over."""

    run: int
    grant: Grant
    since: datetime
    at: datetime
    """When the history was read."""


@dataclass(frozen=True, slots=True)
class Due:
    """A due instant of a schedule."""

    schedule: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ScheduleProgress:
    """How far a schedule was planned when the history was read, and its next due instant."""

    schedule: str
    until: datetime
    """Instants up to and including this instant have their runs."""
    next_due: datetime | None
    first_after: datetime | None
    """The first instant after ``until`` by its definition, which `next_due` should be."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The row of a run when the history was read."""

    run: int
    schedule: str
    first: datetime
    """The instant that it accounts for; the first instant of a counted row."""
    last: datetime
    count: int
    state: RunState
    over: bool
    manual: bool = False
    succeeded: Mapping[str, int] = field(default_factory=dict)
    """The number of attempts recorded as succeeded, by job."""
    jobs: tuple[str, ...] | None = None
    """The jobs that it must do; None if unknown."""
    attempted: tuple[str, ...] = ()
    """The jobs of which it has made an attempt, which it must do as well."""
    left_running: tuple[str, ...] = ()
    """The jobs with an attempt recorded as running, without the run running under its grant."""


@dataclass(frozen=True, slots=True)
class RunMarked:
    """A run that was marked as cancelled, as recorded when the history was read."""

    run: int
    schedule: str
    at: datetime
    """When it was marked."""
    state: RunState
    ended: datetime | None
    """When it ended; None if it is not over."""
    last_start: datetime | None = None
    """When its latest attempt started; None if there is none, or its time is not certain."""


# What happens to the system from outside


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which no replica could recover anything: the database was away or held up, say."""

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
    | RunMarked
    | Outage
    | ClockJump
)
