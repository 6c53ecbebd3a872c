"""The jobs that make trouble for whoever is at work beside them, and what that must not cost (rules 16 and 25)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

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
    """An attempt that has ended: of which run, where, and how."""

    run: int
    job: str
    holder: str
    state: str
    error: str | None = None


def ended(connection: Connection) -> list[Ended]:
    """Return all attempts of jobs, in the order in which they began."""
    rows = connection.execute(text("SELECT run_id, job, holder, state, error FROM job_run ORDER BY id"))
    return [Ended(*row) for row in rows]


def made(attempts: Iterable[Ended], job: str) -> int:
    """Return how many attempts of a job that makes trouble there were."""
    return sum(one.job == job for one in attempts)


def paid_for_others(attempts: Iterable[Ended]) -> list[str]:
    """Return what trouble has cost those that did not make it, in words."""
    found, times = [], defaultdict[int, int](int)
    last_chances = defaultdict[str, list[int]](list)
    for one in attempts:
        if one.job in {KILLER, BLOCKER} and one.state == "succeeded":
            found.append(f"an attempt of {one.job} succeeded in run {one.run}")
        if one.state == "failed" and SHORT in (one.error or ""):
            found.append(f"a shortage used up an attempt of {one.job} of run {one.run}: {one.error}")
        if one.state == "succeeded":
            times[one.run] = 0
        if one.state == "abandoned":
            if times[one.run] == LAST_CHANCE:
                last_chances[one.holder].append(one.run)
            times[one.run] += 1
    return found + [
        f"runs {', '.join(map(str, runs))} lost their last chance by one death of {holder}"
        for holder, runs in last_chances.items()
        if len(runs) > 1
    ]
