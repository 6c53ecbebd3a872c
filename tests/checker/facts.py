"""The facts of a campaign's history: those that the tables record, and what only witnesses, jobs and machines tell."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.audit import facts as recorded
from daemon.audit.facts import (
    BackfillRecorded,
    Deleted,
    GrantEnded,
    HighestToken,
    Recorded,
    RunMarked,
    RunStranded,
    ScheduleProgress,
)
from daemon.states import RunState
from lease.model import Grant


@dataclass(frozen=True, slots=True)
class GrantBegan(recorded.GrantBegan):
    until: datetime | None = None
    """When it goes stale unless it is renewed; None if unknown."""


@dataclass(frozen=True, slots=True)
class GrantRenewed:
    """A grant was renewed."""

    grant: Grant
    at: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class LeaseDeleted:
    """The row of a lease was deleted, and its token with it (against rule 5)."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Due(recorded.Due):
    certain: bool = True
    """False: another definition became active at about that time, and it need not have been due."""


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
    digest: str | None = None
    """That of the definition that has this work; None if it need not be known."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which no replica could recover anything: the database was away or blocked, for example."""

    began: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class Starved:
    """A time in which this machine kept a process waiting that was ready to run, or that waited for its disk."""

    began: datetime
    ended: datetime
    late: timedelta
    """For how much of this time."""


def starved(history: Iterable[object], since: datetime, until: datetime) -> timedelta:
    """Return for how much of this time a process was kept waiting."""
    return sum(
        (
            min(fact.late, max(timedelta(), min(fact.ended, until) - max(fact.began, since)))
            for fact in history
            if isinstance(fact, Starved)
        ),
        timedelta(),
    )


@dataclass(frozen=True, slots=True)
class RunClaimed:
    """A run was claimed under a grant."""

    run: int
    grant: Grant
    at: datetime
    digest: str | None = None
    """That of the definition that it uses; None if unknown."""


@dataclass(frozen=True, slots=True)
class RunRedefined:
    """A run uses another definition from now on."""

    run: int
    at: datetime
    digest: str | None
    earlier: str | None
    adopted: bool
    """It waited, and the run says which definition it used before (rule 22)."""


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

    ``over``: it has failed; otherwise it continues.
    """

    run: int
    grant: Grant
    at: datetime
    over: bool = False
    digest: str | None = None
    """That of the definition that it uses; None if unknown."""


Fact = (
    recorded.Fact
    | GrantRenewed
    | LeaseDeleted
    | Written
    | FencedWriteRefused
    | Worked
    | RunClaimed
    | RunRedefined
    | RunLeft
    | RunSettled
    | Outage
    | Starved
)

__all__ = [
    "BackfillRecorded",
    "Deleted",
    "Due",
    "Fact",
    "FencedWriteRefused",
    "GrantBegan",
    "GrantEnded",
    "GrantRenewed",
    "HighestToken",
    "LeaseDeleted",
    "Outage",
    "Recorded",
    "RunClaimed",
    "RunLeft",
    "RunMarked",
    "RunRedefined",
    "RunSettled",
    "RunStranded",
    "ScheduleProgress",
    "Starved",
    "Worked",
    "Written",
    "starved",
]
