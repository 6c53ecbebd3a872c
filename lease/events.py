"""Facts about leases, reported as they happen. Logging, metrics and tests subscribe; nothing is formatted here."""

import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from .errors import LeaseError
from .model import Grant, LeaseRecord, Loss
from .threads import in_callback_thread


@dataclass(frozen=True, slots=True)
class Granted:
    """A lease was granted to this client."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Refused:
    """A lease was not granted: another client holds it."""

    name: str
    record: LeaseRecord | None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """An acquisition that waits could not ask the database, and continues; reported once until it can."""

    name: str
    error: str


@dataclass(frozen=True, slots=True)
class Renewed:
    """A renewal was confirmed for these grants."""

    grants: tuple[Grant, ...]
    margin: float
    """The least trust that any of the grants had left, in seconds."""
    took: float
    """Seconds from sending to the answer."""


@dataclass(frozen=True, slots=True)
class AtRisk:
    """A renewal failed, or a row could not be renewed; work continues until trust ends (rule 9)."""

    grants: tuple[Grant, ...]
    cause: str
    remaining: float
    """The least trust that any of the grants has left, in seconds."""
    again: bool = False
    """All of them were at risk before, and that was reported less than 10 s ago."""


@dataclass(frozen=True, slots=True)
class OutOfRisk:
    """All of this client's leases have been renewed again, after some had been at risk."""

    grants: tuple[Grant, ...]
    """Those that were at risk and are still held."""
    seconds: float
    """How long they were at risk."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A grant can no longer be trusted."""

    loss: Loss


@dataclass(frozen=True, slots=True)
class Released:
    """The holder ended its grant. `confirmed` is False if it had ended before."""

    grant: Grant
    confirmed: bool


@dataclass(frozen=True, slots=True)
class ReleaseFailed:
    """A release could not be confirmed; the grant ends with its ttl at the latest."""

    grant: Grant
    error: str


@dataclass(frozen=True, slots=True)
class OrphanReleased:
    """A grant that this client does not hold was found under its holder id (after a lost reply, for
    example) and released (rule 6).
    """

    grant: Grant


@dataclass(frozen=True, slots=True)
class Stalled:
    """The heartbeat's thread ran this many seconds late."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ClockStepped:
    """The database's clock moved against this machine's monotonic clock (rule 1)."""

    seconds: float


@dataclass(frozen=True, slots=True)
class HeartbeatFailed:
    """The heartbeat had an unexpected error; it continues, or the error says that it has ended (rule 8)."""

    error: str


@dataclass(frozen=True, slots=True)
class CallbackFailed:
    """A callback of a lease (`on_lost`, `watch`) raised this error; the others were still called."""

    grant: Grant
    error: BaseException


@dataclass(frozen=True, slots=True)
class OnNetwork:
    """The file of an SQLite database is on a network file system, where its locks cannot be relied on."""

    file: str
    file_system: str
    """Its kind, such as ``nfs4``."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """This many events are missing here, because the listener did not keep up."""

    count: int


Event = (
    Granted
    | Refused
    | Unanswered
    | Renewed
    | AtRisk
    | OutOfRisk
    | Lost
    | Released
    | ReleaseFailed
    | OrphanReleased
    | Stalled
    | ClockStepped
    | HeartbeatFailed
    | CallbackFailed
    | OnNetwork
    | Dropped
)
Listener = Callable[[Event], None]
"""Is called with one event after the other, in a thread of its own. An exception that it raises is logged."""

_logger = logging.getLogger("lease")


def log_event(event: Event) -> None:
    """Write an event to the logger ``lease``: losses as warnings, renewals and repeated risks as debug lines."""
    error = event.error if isinstance(event, CallbackFailed) else None
    _logger.log(_level(event), "%s", event, exc_info=error)


def is_logged(event: Event) -> bool:
    """Return whether `log_event` would write ``event`` anywhere."""
    return _logger.isEnabledFor(_level(event))


def _level(event: Event) -> int:
    match event:
        case Granted() | Refused() | Renewed() | Released() | AtRisk(again=True):
            return logging.DEBUG
        case OrphanReleased() | OutOfRisk():
            return logging.INFO
        case Unanswered() | AtRisk() | Lost() | ReleaseFailed() | Stalled() | ClockStepped() | OnNetwork() | Dropped():
            return logging.WARNING
        case HeartbeatFailed() | CallbackFailed():
            return logging.ERROR
        case _:
            assert_never(event)


def chatter(event: Event) -> int:
    """Return how many grants an event of the daily round is about; 0 for one that is not to be missed."""
    match event:
        case Renewed(grants=grants) | AtRisk(grants=grants):
            return len(grants)
        case Granted() | Refused() | Released():
            return 1
        case _:
            return 0


def check_listener(listener: Listener) -> Listener:
    """Return ``listener`` if it can be called with events."""
    if not callable(listener):
        raise LeaseError(
            f"on_event: {listener!r:.60} cannot be called; give it a function that takes an event, or leave it out"
        )
    if inspect.iscoroutinefunction(listener):
        raise LeaseError(
            f"on_event: {listener!r:.60} is async, and nobody would await it; give it a plain function, "
            "which may hand the event to a loop with loop.call_soon_threadsafe"
        )
    return listener


def guarded(listener: Listener) -> Listener:
    """Return ``listener`` such that no error it raises reaches its caller; in a thread of the library nothing at
    all, as no interrupt comes there.
    """

    def notify(event: Event) -> None:
        try:
            listener(event)
        except BaseException as error:
            if not isinstance(error, (Exception, SystemExit)) and not in_callback_thread():
                raise
            _logger.exception("a subscriber of lease events failed at %s", type(event).__name__)

    return notify
