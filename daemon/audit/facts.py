"""The facts of the recorded history. All times are the database's (UTC)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lease.model import Grant

from ..states import RunState

# Of leases


@dataclass(frozen=True, slots=True)
class GrantBegan:
    grant: Grant
    at: datetime


@dataclass(frozen=True, slots=True)
class GrantEnded:
    """A grant was released by its holder, or settled."""

    grant: Grant
    at: datetime


@dataclass(frozen=True, slots=True)
class Deleted:
    """The row of a lease was deleted, and its token with it (against rule 5)."""

    name: str


@dataclass(frozen=True, slots=True)
class HighestToken:
    """The token in the row of a lease when the history was read."""

    name: str
    token: int


OfLease = GrantBegan | GrantEnded | Deleted | HighestToken


# Of schedules and runs


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
    strange: tuple[str, ...] = ()
    """The jobs of which it has made an attempt, and which the definition that it went by does not have."""
    retry_of: int | None = None
    """The run that it tries again."""
    backfill: int | None = None
    """The backfill that requested it for its instant."""
    carried: tuple[str, ...] = ()
    """The jobs that it took over as done; it has made no attempt of them."""
    not_done: tuple[str, ...] = ()
    """Those of them that no run before it has done."""


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
    replaced_by: int | None = None
    """The newer run that replaced it (`overlap = "replace"`)."""
    newer_start: datetime | None = None
    """When that one first started; None if it has not, or its time is not certain."""


@dataclass(frozen=True, slots=True)
class RunStranded:
    """A run recorded as running when the history was read, although its grant was over."""

    run: int
    grant: Grant
    since: datetime
    at: datetime
    """When the history was read."""


@dataclass(frozen=True, slots=True)
class BackfillRecorded:
    """The row of a backfill when the history was read; all its runs are kept."""

    backfill: int
    schedule: str
    first: datetime
    last: datetime
    at_most: int
    """How many of its runs may be unfinished at a time."""
    instants: int
    """How many were to run."""


OfSchedule = Due | ScheduleProgress | Recorded | RunMarked | RunStranded | BackfillRecorded
Fact = OfLease | OfSchedule
