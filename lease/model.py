"""The values of the library: grants, records, renewals and losses, and the sentences about a loss."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from .errors import InvalidName, LeaseError
from .waiters import Waiters, ahead_of, may_take

LONGEST_NAME = 255
LONGEST_LABEL = 255
"""As a name. While a client waits, its label stands in the row of the lease, which each turn writes anew."""
DAEMON = "run/"
"""How the names of the daemon's leases begin."""
_MARK = "broken:"


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One period for which a holder has a lease, under one token. A release, a break, a cleanup or the
    next grant ends it for good.
    """

    name: str
    token: int
    holder: str


@dataclass(frozen=True, slots=True)
class Break:
    """The end of a grant by somebody other than its holder."""

    by: str
    """Who broke it."""
    reason: str
    at: datetime
    """When, by the database's clock."""
    holder: str
    """Who held it; ``label`` and ``token`` belong to that grant too."""
    label: str | None
    token: int


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """A lease as the database has it at one moment."""

    name: str
    token: int
    """The highest token granted so far; 0 before the first grant."""
    holder: str | None
    """The random id of the client that holds it, or None if it is free."""
    label: str | None
    """What people see of the holder; by default its host and process id."""
    granted_at: datetime | None
    renewed_at: datetime | None
    held_for: float | None
    """Seconds since the grant, by the database's clock."""
    expires_in: float | None
    """Seconds until it goes stale; negative once it has."""
    live: bool
    """Held, and not stale."""
    free_for: float | None = None
    """Seconds since it became free or stale; negative while it is live; None: not known."""
    waiting: Waiters = ()
    """Who waits for it, in the order in which they will be served."""
    broken: Break | None = None
    """Who broke a grant of this name last, and why. Until the work under that grant has ended,
    `holder` is a mark, which no client has (``"broken:"`` and the holder's id).
    """

    @property
    def grant(self) -> Grant | None:
        """The last grant, even if its ttl is over; None if the lease is free."""
        return None if self.holder is None else Grant(self.name, self.token, self.holder)


def is_turn_of(holder: str, record: LeaseRecord) -> bool:
    """Return whether ``holder`` may take the lease now."""
    return not record.live and may_take(ahead_of(holder, record.waiting), record.free_for)


@dataclass(frozen=True, slots=True)
class Renewal:
    """The answer to a renewal."""

    pairs: frozenset[tuple[str, int]]
    """(name, token) of all that was renewed."""
    missing: Mapping[str, LeaseRecord]
    """What the database has under those expected names that were not renewed, if anything."""
    database_time: float | None
    """The database's wall clock, seconds since 1970; None when nothing was renewed, and what is missing
    is not held by anybody."""


class LossKind(StrEnum):
    """Why a lease was lost (rule 9)."""

    ENDED = "ended"
    BROKEN = "broken"
    UNREACHABLE = "unreachable"
    SUSPENDED = "suspended"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a grant can no longer be trusted."""

    grant: Grant
    kind: LossKind
    cause: str

    def __str__(self) -> str:
        return f"lease {self.grant.name!r} (token {self.grant.token}) is lost: {self.cause}"


def ended(grant: Grant, record: LeaseRecord | None) -> Loss:
    """Return the loss of our grant, in whose stead the database now has ``record``."""
    if record is None:
        return Loss(grant, LossKind.ENDED, "its row is gone")
    last = record.broken
    if last is not None and (last.token, last.holder) == (grant.token, grant.holder):
        return Loss(grant, LossKind.BROKEN, f"broken by {last.by} because {last.reason}")
    if record.holder is None:
        return Loss(grant, LossKind.ENDED, f"it had gone stale, and was freed (token {record.token})")
    return Loss(grant, LossKind.ENDED, f"stolen by {record.label or record.holder} with token {record.token}")


def mark_of(grant: Grant) -> Grant:
    """Return what stands in the row while a broken grant waits for the end of its work."""
    return replace(grant, holder=f"{_MARK}{grant.holder}")


def is_mark(holder: str) -> bool:
    """Return whether this is no client but the mark of a broken grant."""
    return holder.startswith(_MARK)


def ended_sentence(grant: Grant) -> str:
    """Return the sentence of an error about a grant that has ended."""
    return f"lease {grant.name!r} is lost: the grant with token {grant.token} has ended"


CLOSED_CAUSE = "the client was closed"
CLOSED = "this client is closed; make a new LeaseClient"


def check_name(name: str, *, taken: str = "") -> str:
    """Return ``name`` if it may name a lease: 1 to 255 characters, none of them a control character. It may not begin
    with ``taken``, which is the daemon's.
    """
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidName(f"a lease's name must have 1 to {LONGEST_NAME} characters; {name!r:.60} does not")
    if not name.isascii() and any(0xD800 <= ord(letter) < 0xE000 for letter in name):
        raise InvalidName(f"a lease's name must be a string that UTF-8 can encode; {name!r:.60} is not")
    if not name.isprintable() and any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in name):
        raise InvalidName(f"a lease's name must not have control characters; {name!r:.60} does")
    if taken and name.startswith(taken):
        raise InvalidName(f"names that begin with {taken!r} are reserved for the daemon; {name!r:.60} is one of them")
    return name


def check_line(what: str, said: str, longest: int) -> str:
    """Return ``said`` if people can read it on one line: 1 to ``longest`` printable characters."""
    if not isinstance(said, str) or not said.strip() or len(said) > longest or not said.isprintable():
        raise LeaseError(f"the {what} must be one line of 1 to {longest:,} printable characters; {said!r:.60} is not")
    return said
