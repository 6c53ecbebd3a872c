"""What happens to a lease, and under a grant."""

from dataclasses import dataclass
from datetime import datetime

from lease.model import Grant

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
    digest: str | None = None
    """That of the definition that has this work; None if it need not be known."""
