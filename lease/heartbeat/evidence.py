"""What the heartbeat makes of each answer to a renewal, and of none: verdicts on grants, causes of losses, what is at
risk, and steps of the database's clock. Decisions alone, without a database (rules 1, 6, 7 and 9).
"""

from collections.abc import Callable, Collection, Container, Sequence
from dataclasses import dataclass

from ..durations import format_duration
from ..events import AtRisk, OutOfRisk
from ..grant_state import GrantState
from ..model import Grant, Loss, LossKind, Renewal, ended
from ..timing import LeaseTiming


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Each expected grant is in exactly one of these."""

    renewed: tuple[Grant, ...]
    unknown: tuple[Grant, ...]
    """Apparently in force, but not renewed: another transaction has its row locked."""
    ended: tuple[Loss, ...]
    """Over, with the cause."""


def judge(expected: Collection[Grant], renewal: Renewal) -> Verdicts:
    """Sort ``expected`` by what the database answered."""
    renewed, unknown, over = [], [], []
    for grant in expected:
        record = renewal.missing.get(grant.name)
        if (grant.name, grant.token) in renewal.pairs:
            renewed.append(grant)
        elif record is not None and record.grant == grant:
            unknown.append(grant)
        else:
            over.append(ended(grant, record))
    return Verdicts(tuple(renewed), tuple(unknown), tuple(over))


def strangers(renewal: Renewal, holder: str, held: Container[Grant]) -> list[Grant]:
    """Return the grants that the database has under ``holder`` although this client does not hold
    them, or has declared them lost.

    They are being acquired, or the reply to their acquisition was lost (`lease.heartbeat.heartbeat.Flights`).
    """
    grants = (Grant(name, token, holder) for name, token in sorted(renewal.pairs))
    return [grant for grant in grants if grant not in held]


class RenewalHistory:
    """The evidence for the cause of a loss. Times are by the client's clock."""

    def __init__(self, timing: LeaseTiming, now: float) -> None:
        self._timing = timing
        self.confirmed(now)

    def confirmed(self, sent: float, locked: Collection[Grant] = ()) -> None:
        """Record that the database answered what was sent at ``sent``; the rows of ``locked`` were not renewed."""
        self._confirmed, self._starved = sent, 0.0
        self._error: str | None = None
        self._locked = frozenset(locked)

    def failed(self, error: str) -> None:
        self._error = error

    def stalled(self, seconds: float) -> None:
        self._starved += seconds

    def cause(self, state: GrantState, now: float) -> tuple[LossKind, str]:
        """Return why the trust in this grant ended without a renewal."""
        if self._starved > (self._timing.give_up - self._timing.renew_every) / 2:
            return LossKind.SUSPENDED, f"this process was suspended or starved for {format_duration(self._starved)}"
        if state.grant in self._locked:
            since = now - state.trusted_until + self._timing.give_up
            return LossKind.UNREACHABLE, f"another transaction has had its row locked for {format_duration(since)}"
        said = f" ({self._error})" if self._error else ""
        return LossKind.UNREACHABLE, f"database unreachable for {format_duration(now - self._confirmed)}{said}"


QUIET = 10.0
"""Seconds for which a risk that was told of is not news, unless a further grant is at risk."""


class Risks:
    """What is at risk since the last renewal of all, since when, and when that was last news."""

    def __init__(self, is_held: Callable[[Grant], bool]) -> None:
        self._is_held = is_held
        self._known: frozenset[Grant] = frozenset()
        self._since = self._told = 0.0

    def seen(self, states: Sequence[GrantState], cause: str, now: float) -> AtRisk | OutOfRisk | None:
        """Return the event about what is at risk at ``now``, by the client's clock; None if nothing is, and
        nothing was that is still held.
        """
        grants = tuple(state.grant for state in states)
        if not grants:
            return self._over(now)
        again = self._known.issuperset(grants) and now - self._told < QUIET
        if not self._known:
            self._since = now
        if not again:
            self._known, self._told = self._known.union(grants), now
        return AtRisk(grants, cause, min(state.remaining() for state in states), again)

    def _over(self, now: float) -> OutOfRisk | None:
        held = tuple(sorted((grant for grant in self._known if self._is_held(grant)), key=lambda grant: grant.name))
        self._known = frozenset()
        return OutOfRisk(held, now - self._since) if held else None


_STEP = 0.5
"""Seconds by which it must have moved, beyond what the round trips leave open."""


class DatabaseClock:
    """Compares each time that the database gives with the one before. All in seconds."""

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None  # its offset from ours, and the round trip

    def forget(self) -> None:
        """Start again: a long time has passed since the last comparison."""
        self._last = None

    def step(self, database_time: float | None, sent: float, received: float) -> float | None:
        """Return by how much the clock has stepped, if it has: it showed ``database_time`` (None: it
        was not looked at) between ``sent`` and ``received`` of our clock.
        """
        if database_time is None:
            return None
        before, self._last = self._last, (database_time - (sent + received) / 2, received - sent)
        if before is None:
            return None
        step = self._last[0] - before[0]
        unsure = (self._last[1] + before[1]) / 2  # each offset is right to half of its round trip
        return step if abs(step) > _STEP + unsure else None
