"""Hand-overs: waiters of one lock, in one process and in several, each of whom holds it for a moment
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
from typing import Any

import psycopg

from lease.client import LeaseClient

from ..errors import BenchmarkError
from . import peers

HELD = 0.001
"""Seconds for which each holds it."""
_READY = 10.0
"""Seconds that the processes have to start and connect in."""
_SLACK = 0.01
"""Seconds by which one must have asked earlier to be overtaken."""

Turn = tuple[str, float, float]
"""Who had it, when it asked, and when it got it; by this machine's monotonic clock."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Which lock, and how many want it for how long."""

    kind: str
    processes: int
    waiters: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Order:
    """What one process is to do."""

    kind: str
    place: str
    """The URL of a database, or the port of a Redis server."""
    process: int
    waiters: int
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class HandOvers:
    """What came of it."""

    trial: Trial
    per_second: float
    fewest: int
    most: int
    """Turns of the waiter that had the fewest, and the most."""
    overtaken: float
    """The share of turns that came before the turn of one who had asked earlier."""
    commits: float | None
    """Transactions a hand-over; None where there are none, or they were not counted."""


def hand_over(trial: Trial, place: str) -> tuple[list[Turn], list[Turn]]:
    """Let them wait. Return all turns, and those of the time that counts."""
    begin = time.monotonic() + _READY
    end = begin + trial.seconds
    share = trial.waiters // trial.processes
    orders = [Order(trial.kind, place, number, share, begin, end) for number in range(trial.processes)]
    with ProcessPoolExecutor(trial.processes, mp_context=get_context("spawn")) as pool:
        turns = sorted((turn for part in pool.map(take_part, orders) for turn in part), key=lambda turn: turn[2])
    return turns, [turn for turn in turns if turn[2] <= end]


def summary(trial: Trial, every: Sequence[Turn], counted: Sequence[Turn], commits: int | None) -> HandOvers:
    """Return what the turns say; ``commits`` are those of all."""
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
    """Return the share of turns after which somebody else's came who had asked earlier."""
    overtaking, earliest = 0, float("inf")
    for _, asked, _ in reversed(turns):
        overtaking += asked > earliest + _SLACK
        earliest = min(earliest, asked)
    return overtaking / len(turns)


def take_part(order: Order) -> list[Turn]:
    """Be one process of them."""
    turns: list[Turn] = []
    match order.kind:
        case "lease":
            asyncio.run(_lease(order, turns))
        case "pg_advisory_lock":
            _in_threads(order, turns, lambda: _Advisory(order.place))
        case "redis-py":
            _in_threads(order, turns, lambda: peers.redis_py(int(order.place))("handed over"))
        case _:
            _in_threads(order, turns, lambda: peers.python_redis_lock(int(order.place))("handed over"))
    return turns


async def _lease(order: Order, turns: list[Turn]) -> None:
    async def wait(client: LeaseClient, who: str) -> None:
        await asyncio.sleep(_left(order))
        while (asked := time.monotonic()) < order.end:
            async with client.hold("handed over", wait=None):
                turns.append((who, asked, time.monotonic()))
                await asyncio.sleep(HELD)

    async with LeaseClient(order.place) as client:
        await client.read("handed over")
        await asyncio.gather(*(wait(client, f"{order.process}/{number}") for number in range(order.waiters)))


def _in_threads(order: Order, turns: list[Turn], make: Callable[[], Any]) -> None:
    def wait(who: str, lock: Any) -> None:
        time.sleep(_left(order))
        while (asked := time.monotonic()) < order.end:
            with lock:
                turns.append((who, asked, time.monotonic()))
                time.sleep(HELD)

    waiters = [
        threading.Thread(target=wait, args=(f"{order.process}/{number}", make())) for number in range(order.waiters)
    ]
    for waiter in waiters:
        waiter.start()
    for waiter in waiters:
        waiter.join()


def _left(order: Order) -> float:
    left = order.begin - time.monotonic()
    if left < 0:
        raise BenchmarkError("a process was not ready in time")
    return left


class _Advisory:
    """A session advisory lock, over a connection of its own."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)

    def __enter__(self) -> None:
        self._connection.execute("SELECT pg_advisory_lock(1)")

    def __exit__(self, *error: object) -> None:
        self._connection.execute("SELECT pg_advisory_unlock(1)")
