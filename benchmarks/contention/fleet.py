"""The replicas as processes: started once, then given one trial after the other, each with connections of its own."""

import asyncio
import signal
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from lease.client import LeaseClient
from lease.database.opening import open_database
from lease.events import Event
from lease.timing import LeaseTiming

from ..counting import Counter
from ..errors import BenchmarkError
from .replica import CONNECTIONS, Part, Replica
from .workload import MEASURED, TIMEOUT, WARM_UP, known

TRIAL_LIMIT = 90.0
"""Seconds after which a trial is given up."""
_END_LIMIT = 5.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a replica is to take part in."""

    url: str
    schedules: int
    warm_up: int
    places: int


@dataclass(frozen=True, slots=True)
class Ready:
    """It has connected and warmed up, and waits for the start."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It could not take part."""

    why: str


class Fleet:
    """So many processes, which end with the block."""

    def __init__(self, size: int) -> None:
        context = get_context("spawn")  # a fork would share what must be each one's own
        pairs = [context.Pipe() for _ in range(size)]
        self._lines = [ours for ours, _ in pairs]
        self._processes = [context.Process(target=_serve, args=(theirs,), daemon=True) for _, theirs in pairs]
        self._theirs = [theirs for _, theirs in pairs]

    def __enter__(self) -> Self:
        for process, line in zip(self._processes, self._theirs, strict=True):
            process.start()
            line.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in self._lines:
            line.close()
        for process in self._processes:
            process.join(_END_LIMIT if error is None else 0.0)
            if process.is_alive():
                process.kill()
                process.join()

    def run(self, order: Order, replicas: int) -> list[Part]:
        """Let so many replicas begin at the same moment, and return what each did."""
        lines = self._lines[:replicas]
        for line in lines:
            line.send(order)
        for number, line in enumerate(lines, start=1):
            _expect(line, number, Ready)
        for line in lines:
            line.send(Ready())
        return [_expect(line, number, Part) for number, line in enumerate(lines, start=1)]


def _expect(line: "Connection[Any, Any]", number: int, kind: type[Any]) -> Any:
    if not line.poll(TRIAL_LIMIT):
        raise BenchmarkError(f"replica {number} did not answer within {TRIAL_LIMIT:g} seconds")
    try:
        answer = line.recv()
    except (EOFError, ConnectionError):
        raise BenchmarkError(f"replica {number} has died") from None
    if isinstance(answer, Failed):
        raise BenchmarkError(f"replica {number}: {answer.why}")
    if not isinstance(answer, kind):
        raise BenchmarkError(f"replica {number} answered out of turn: {answer!r}")
    return answer


def _serve(line: "Connection[Any, Any]") -> None:
    """Be one process of the fleet, until its line is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started us ends us
    counter = Counter()
    with suppress(EOFError, ConnectionError):
        while True:
            order = line.recv()
            try:
                line.send(asyncio.run(_take_part(order, line, counter)))
            except (EOFError, ConnectionError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told in the process that people see
                line.send(Failed(str(error) if isinstance(error, BenchmarkError) else repr(error)))


async def _take_part(order: Order, line: "Connection[Any, Any]", counter: Counter) -> Part:
    told: list[Event] = []
    database = open_database(order.url, timeout=TIMEOUT, connections=CONNECTIONS, application="leased benchmark")
    try:
        async with LeaseClient(order.url, timing=LeaseTiming(), on_event=told.append) as client:
            await Replica(database, client, WARM_UP, known(WARM_UP, order.warm_up), CONNECTIONS, told).work(counter)
            line.send(Ready())
            line.recv()
            return await Replica(database, client, MEASURED, known(MEASURED, order.schedules), order.places, told).work(
                counter
            )
    finally:
        await database.close()
