"""Hand-overs: waiters of one lock, in one process and in several, each of which holds it for a moment
and asks again.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from typing import Any

import psycopg

from lease.client import LeaseClient

from ..errors import BenchmarkError
from . import peers

HELD = 0.001
"""Seconds for which each waiter holds the lock."""
_READY = 90.0
"""Seconds that the processes have to start and connect."""
_together: Barrier | None = None
"""The barrier at which the processes of a trial wait for each other."""
_SLACK = 0.01
"""Seconds by which a waiter must have asked earlier to count as overtaken."""

Turn = tuple[str, float, float]
"""The waiter that had the lock, when it asked and when it got it, by this machine's monotonic clock."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A lock, and how many waiters in how many processes want it for how long."""

    kind: str
    processes: int
    waiters: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Order:
    """The work that one process is given."""

    kind: str
    place: str
    """The URL of a database, or the port of a Redis server."""
    process: int
    waiters: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Part:
    """The turns of one process, and when it began and ended."""

    begin: float
    end: float
    turns: list[Turn]


@dataclass(frozen=True, slots=True)
class HandOvers:
    """The figures of one trial."""

    trial: Trial
    per_second: float
    fewest: int
    most: int
    """The turns of the waiter that had the fewest, and of the one that had the most."""
    overtaken: float
    """The share of turns that came before the turn of a waiter that had asked earlier."""
    commits: float | None
    """Transactions per hand-over; None where there are none, or they were not counted."""


def hand_over(trial: Trial, place: str) -> tuple[list[Turn], list[Turn]]:
    """Run the trial. Return all turns, and those that came while every process took part."""
    share = trial.waiters // trial.processes
    orders = [Order(trial.kind, place, number, share, trial.seconds) for number in range(trial.processes)]
    context = get_context("spawn")
    barrier = context.Barrier(trial.processes)
    with ProcessPoolExecutor(trial.processes, context, initializer=_meet_at, initargs=(barrier,)) as pool:
        parts = list(pool.map(take_part, orders))
    turns = sorted((turn for part in parts for turn in part.turns), key=lambda turn: turn[2])
    begin, end = max(part.begin for part in parts), min(part.end for part in parts)
    return turns, [turn for turn in turns if begin <= turn[2] <= end]


def _meet_at(barrier: Barrier) -> None:
    global _together  # noqa: PLW0603 - a barrier is given to a process when it starts, or not at all
    _together = barrier


def summary(trial: Trial, every: Sequence[Turn], counted: Sequence[Turn], commits: int | None) -> HandOvers:
    """Return the figures of ``counted``, a part of ``every`` turn; ``commits`` are those of every turn."""
    if not counted:
        raise BenchmarkError(f"{trial.kind}: nobody got the lock")
    counts = Counter(who for who, _, _ in counted)
    return HandOvers(
        trial,
        per_second=len(counted) / trial.seconds,
        fewest=min(counts.values()) if len(counts) == trial.waiters else 0,
        most=max(counts.values()),
        overtaken=_overtaken(counted),
        commits=None if commits is None else commits / len(every),
    )


def _overtaken(turns: Sequence[Turn]) -> float:
    """Return the share of turns that came before the turn of a waiter that had asked earlier."""
    overtaking, earliest = 0, float("inf")
    for _, asked, _ in reversed(turns):
        overtaking += asked > earliest + _SLACK
        earliest = min(earliest, asked)
    return overtaking / len(turns)


def take_part(order: Order) -> Part:
    """Take part in a trial as one of its processes."""
    match order.kind:
        case "lease":
            return asyncio.run(_lease(order))
        case "pg_advisory_lock":
            return _in_threads(order, lambda: _Advisory(order.place))
        case "redis-py":
            return _in_threads(order, lambda: peers.redis_py(int(order.place))("handed over"))
        case _:
            return _in_threads(order, lambda: peers.python_redis_lock(int(order.place))("handed over"))


async def _lease(order: Order) -> Part:
    async with LeaseClient(order.place) as client:
        await client.read("handed over")
        part = _begun(order)

        async def wait(who: str) -> None:
            while (asked := time.monotonic()) < part.end:
                async with client.hold("handed over", wait=None):
                    part.turns.append((who, asked, time.monotonic()))
                    await asyncio.sleep(HELD)

        await asyncio.gather(*(wait(f"{order.process}/{number}") for number in range(order.waiters)))
    return part


def _in_threads(order: Order, make: Callable[[], Any]) -> Part:
    locks = [make() for _ in range(order.waiters)]
    part = _begun(order)

    def wait(who: str, lock: Any) -> None:
        while (asked := time.monotonic()) < part.end:
            with lock:
                part.turns.append((who, asked, time.monotonic()))
                time.sleep(HELD)

    waiters = [
        threading.Thread(target=wait, args=(f"{order.process}/{number}", lock)) for number, lock in enumerate(locks)
    ]
    for waiter in waiters:
        waiter.start()
    for waiter in waiters:
        waiter.join()
    return part


def _begun(order: Order) -> Part:
    """Wait for the other processes, and begin."""
    if _together is not None:
        try:
            _together.wait(_READY)
        except threading.BrokenBarrierError:
            raise BenchmarkError("a process was not ready in time") from None
    begin = time.monotonic()
    return Part(begin, begin + order.seconds, [])


class _Advisory:
    """A session advisory lock, over a connection of its own."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)

    def __enter__(self) -> None:
        self._connection.execute("SELECT pg_advisory_lock(1)")

    def __exit__(self, *error: object) -> None:
        self._connection.execute("SELECT pg_advisory_unlock(1)")
