"""Made-up histories: seconds after noon, and the grants of one lease."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from daemon.states import RunState
from lease.model import Grant
from tests.checker import Bounds, Promise, check
from tests.checker.facts import Due, Fact, GrantBegan, GrantEnded, GrantRenewed, Recorded

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
TTL = 15.0
UNBOUNDED = Bounds()


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_grant(token: int, holder: str = "", name: str = "nightly") -> Grant:
    """A grant of the lease; each token has a holder of its own unless it is told otherwise."""
    return Grant(name, token, holder or f"holder {token}")


def granted(token: int, seconds: float, holder: str = "", *, until: float | None = None) -> GrantBegan:
    """A grant that lasts for the ttl, unless it is renewed."""
    return GrantBegan(a_grant(token, holder), at(seconds), at(seconds + TTL if until is None else until))


def renewed(token: int, seconds: float) -> GrantRenewed:
    return GrantRenewed(a_grant(token), at(seconds), at(seconds + TTL))


def ended(token: int, seconds: float) -> GrantEnded:
    return GrantEnded(a_grant(token), at(seconds))


def due(*seconds: float, schedule: str = "nightly") -> list[Due]:
    return [Due(schedule, at(one)) for one in seconds]


def a_run(run: int, first: float, last: float | None = None, count: int = 1, state: RunState = "succeeded") -> Recorded:
    over = state not in ("pending", "running")
    return Recorded(run, "nightly", at(first), at(first if last is None else last), count, state, over)


def broken(history: Iterable[Fact], bounds: Bounds = UNBOUNDED) -> list[Promise]:
    """Which promises the history breaks, one for each violation."""
    return [violation.promise for violation in check(history, bounds)]


def said(history: Iterable[Fact], bounds: Bounds = UNBOUNDED) -> str:
    """What is said of the one violation that the history has."""
    (violation,) = check(history, bounds)
    return str(violation)
