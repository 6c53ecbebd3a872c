"""The jobs that make trouble for whoever is at work beside them, and what that must not cost (rules 16 and 25)."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

KILLER, BLOCKER = "killer", "blocker"
"""Schedules of one job each: it kills its replica whenever it starts, or blocks the loop of all async jobs."""
NEVER = "0 0 1 1 *"
"""When they are due: a fault triggers them."""
LIMIT = "1s"
"""The timeout of the blocker."""
BLOCKS = 20.0
"""The seconds for which it would block."""
LAST_CHANCE = 2
"""How often a run was abandoned that runs apart from its like (ADR 29)."""
SHORT = "descriptor"
"""A word in the error of an attempt that failed for want of one."""


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that has ended: of which run, where, how, and from when to when it was recorded as at work."""

    run: int
    job: str
    holder: str
    state: str
    began: datetime
    over: datetime
    error: str | None = None

    def was_beside(self, other: "Ended") -> bool:
        """Return whether the other was at work in the same replica when this one was."""
        return self is not other and self.holder == other.holder and self.began < other.over and other.began < self.over


def ended(connection: Connection, instant: Callable[[Any], datetime]) -> list[Ended]:
    """Return all attempts of jobs that have ended, in the order in which they began; ``instant`` reads a moment."""
    query = (
        "SELECT run_id, job, holder, state, started_at, finished_at, error FROM job_run"
        " WHERE finished_at IS NOT NULL ORDER BY id"
    )
    return [
        Ended(run, job, holder, state, instant(began), instant(over), error)
        for run, job, holder, state, began, over, error in connection.execute(text(query))
    ]


def made(attempts: Iterable[Ended], job: str) -> int:
    """Return how many attempts of a job that makes trouble there were."""
    return sum(one.job == job for one in attempts)


def paid_for_others(attempts: Iterable[Ended]) -> list[str]:
    """Return what trouble has cost those that did not make it, in words.

    A replica that was cut off for longer than its leases last is taken for dead: it may cost one run its
    last chance, live on, and cost another one the same later. Its one death costs those that are at work.
    """
    found, times = [], defaultdict[int, int](int)
    last_chances: list[Ended] = []
    for one in attempts:
        if one.job in {KILLER, BLOCKER} and one.state == "succeeded":
            found.append(f"an attempt of {one.job} succeeded in run {one.run}")
        if one.state == "failed" and SHORT in (one.error or ""):
            found.append(f"a shortage used up an attempt of {one.job} of run {one.run}: {one.error}")
        if one.state == "succeeded":
            times[one.run] = 0
        if one.state == "abandoned":
            if times[one.run] == LAST_CHANCE:
                last_chances.append(one)
            times[one.run] += 1
    together = defaultdict[str, list[int]](list)
    for one in last_chances:
        if any(one.was_beside(other) for other in last_chances):
            together[one.holder].append(one.run)
    return found + [
        f"runs {', '.join(map(str, runs))} lost their last chance by one death of {holder}"
        for holder, runs in together.items()
    ]
