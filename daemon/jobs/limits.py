"""The limits of an attempt's time, and which of them ends it: its job's, its schedule's for a silent job, and
what is left of its run's.
"""

import asyncio
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Protocol

from lease.durations import format_duration

from .reports import Outcome


@dataclass(frozen=True, slots=True)
class Limit:
    """The limit that comes next, in ``left`` seconds, and what an attempt has done that it ends."""

    left: float
    error: str
    ends_run: bool = False
    stalled: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of an attempt, in seconds; None where there is none."""

    timeout: float | None = None
    stall_after: float | None = None
    run_timeout: float | None = None
    run_left: float | None = None
    """What was left of `run_timeout` when the attempt began."""

    def next(self, worked: float, quiet: float) -> Limit | None:
        """Return the limit that comes first, for a job that has worked for so many seconds, and shown no
        progress for so many.
        """
        found = []
        if self.timeout is not None:
            found.append(
                Limit(self.timeout - worked, f"the job exceeded its timeout of {format_duration(self.timeout)}")
            )
        if self.stall_after is not None:
            error = f"the job hung: it showed no progress for {format_duration(self.stall_after)} (stall_after)"
            found.append(Limit(self.stall_after - quiet, error, stalled=True))
        if self.run_timeout is not None and self.run_left is not None:
            found.append(Limit(self.run_left - worked, run_is_over(self.run_timeout), ends_run=True))
        return min(found, key=lambda limit: limit.left, default=None)


def run_is_over(run_timeout: float) -> str:
    """Return why a run has failed whose time is over."""
    return f"the run exceeded its run_timeout of {format_duration(run_timeout)}"


def over_limit(outcome: Outcome, limit: Limit) -> Outcome:
    """Return the outcome of an attempt that was ended at a limit: failed, unless done, or lost with its lease before
    (a function that was not called had no time to exceed).
    """
    if outcome.state in {"succeeded", "lost"}:
        return outcome
    return replace(outcome, state="failed", error=limit.error, ends_run=limit.ends_run, stalled=limit.stalled)


class _Losing(Protocol):
    def lost_to_others(self) -> float: ...


class OwnTime:
    """The time that an attempt has had: without that which other jobs have cost it (rule 25)."""

    def __init__(self, attempt: _Losing) -> None:
        self._attempt = attempt
        self._began = monotonic()
        self._before = attempt.lost_to_others()

    def passed(self) -> float:
        """Return the seconds since it was made."""
        return monotonic() - self._began - (self._attempt.lost_to_others() - self._before)


async def wait_own_time(attempt: _Losing, events: set[asyncio.Future[Any]], seconds: float) -> bool:
    """Wait for one of ``events``, at most ``seconds`` of which other jobs took none (rule 25); return
    whether one of them is done.
    """
    own = OwnTime(attempt)
    while (left := seconds - own.passed()) > 0:
        if (await asyncio.wait(events, timeout=left, return_when=asyncio.FIRST_COMPLETED))[0]:
            return True
    return False
