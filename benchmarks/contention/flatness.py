"""Flatness: what a claim costs in a table of many finished runs, against one without any."""

import asyncio
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter

from daemon.definitions.application import Known
from daemon.execution.claim import claim
from lease.database.database import Database
from lease.database.opening import open_database

from ..errors import BenchmarkError
from ..stores import Store
from .workload import MEASURED, TIMEOUT, add_history, known

_LONG = 3600.0
"""Seconds that a grant lasts here, where nobody renews it."""
_MOST_CLAIMS = 50


@dataclass(frozen=True, slots=True)
class Flatness:
    """The median claim in either table, in seconds."""

    finished_runs: int
    claims: int
    claim_without: float
    claim_with: float
    ratio: float


def measure_flatness(store: Store, template: str, *, schedules: int, finished: int, places: int) -> Flatness:
    """Claim alternately from a copy without and one with so many finished runs, so that noise hits both alike."""
    each = finished // schedules
    with store.copy(template) as without, store.copy(template) as filled:
        asyncio.run(add_history(filled, each))
        store.settle(filled)
        claims = asyncio.run(_claim_in_turn((without, filled), known(MEASURED, schedules), places))
    before, after = (median(seconds) for seconds in claims)
    return Flatness(each * schedules, len(claims[0]), before, after, after / before)


async def _claim_in_turn(urls: tuple[str, str], known: Known, places: int) -> tuple[list[float], list[float]]:
    databases = [open_database(url, timeout=TIMEOUT) for url in urls]
    seconds: tuple[list[float], list[float]] = ([], [])
    try:
        for number in range(min(_MOST_CLAIMS, len(known.schedules) // places)):
            for index in (0, 1) if number % 2 else (1, 0):
                seconds[index].append(await _claim(databases[index], known, f"holder-{number}", places))
    finally:
        for database in databases:
            await database.close()
    return seconds


async def _claim(database: Database, known: Known, holder: str, places: int) -> float:
    unit = partial(claim, application=MEASURED, known=known, holder=holder, label=None, ttl=_LONG, limit=places)
    began = perf_counter()
    claimed = await database.write(unit)
    seconds = perf_counter() - began
    if len(claimed) != places:
        raise BenchmarkError(f"a claim of {places} runs, where enough were due, brought {len(claimed)}")
    return seconds
