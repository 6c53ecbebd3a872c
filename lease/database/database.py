"""Units of work on the database, each bounded by the *client's* clock (rule 3).

A unit is a plain function of a SQLAlchemy connection, so that each statement is written once, for
PostgreSQL and SQLite, for async and sync programs alike.
"""

import asyncio
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import URL, Connection

from .connections import Route
from .held.statement import Call
from .wires import Wire

T = TypeVar("T")
Unit = Callable[[Connection], T]


class Database(Protocol):
    """A few connections to one database, and a bound on each attempt.

    `read` and `write` raise `StoreUnavailable` when the database cannot be reached, does not answer
    within the bound, or breaks off. The bound is of the attempt alone: before it, a call waits for one of these
    connections, for as long as the database answers others. What was asked may or may not have happened then. Other
    database errors pass through.
    """

    @property
    def url(self) -> URL: ...

    @property
    def identity(self) -> str | None:
        """Which database it is (`lease.database.address`); None where that is not known."""

    async def write(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        """Run ``unit`` in a transaction and commit it."""

    async def read(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        """Run ``unit`` with each of its statements on its own (no transaction, no locks kept)."""

    async def close(self) -> None: ...


_AT_ONCE = 50
"""How many are told at one time that they wait in vain; a heartbeat may run in the same event loop."""


class Capacity:
    """A few connections or threads, for users in one event loop: they wait in the order in which they came, those who go
    ``first`` before the others.

    A wait is no part of an attempt (rule 3): it lasts for as long as it takes, while the database answers
    anybody. It ends with a `TimeoutError` when that has been silent for ``silence`` seconds.
    """

    def __init__(self, number: int, silence: float, before: "Capacity | None" = None) -> None:
        """``before``: of the same database, which knows when that last answered."""
        self._before = before
        self.last_answer = 0.0
        """When the database last answered anybody, by the event loop's clock."""
        self._free = number
        self._silence = silence
        self._first: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._others: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._watched = False

    async def take(self, *, first: bool = False) -> None:
        """Take a place, for which `give_back` is called once."""
        if self._free > 0:
            self._free -= 1
            return
        place = asyncio.get_running_loop().create_future()
        queue = self._first if first else self._others
        queue[place] = None
        self._watch()
        try:
            await place
        except BaseException:
            queue.pop(place, None)
            if place.done() and not place.cancelled() and place.exception() is None:
                self.give_back()  # it came at the very moment in which its user was cancelled
            raise

    def give_back(self) -> None:
        for queue in (self._first, self._others):
            while queue:
                place, _ = queue.popitem(last=False)
                if not place.done():
                    place.set_result(None)
                    return
        self._free += 1

    def answered(self) -> None:
        """Take note that the database has answered somebody."""
        (self._before or self).last_answer = asyncio.get_running_loop().time()

    def _watch(self) -> None:
        """See to it that nobody waits for long for a database that is silent."""
        if not self._watched:
            self._watched = True
            asyncio.get_running_loop().call_later(self._silence, self._look)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._first and not self._others:
            self._watched = False
        elif (left := (self._before or self).last_answer + self._silence - loop.time()) > 0:
            loop.call_later(left, self._look)
        else:
            self._refuse(len(self._first) + len(self._others))

    def _refuse(self, number: int) -> None:
        """Refuse so many of those who wait, a few at a time; who comes meanwhile waits for the next look."""
        for _ in range(min(number, _AT_ONCE)):
            queue = self._first or self._others
            if not queue:
                break
            place, _ = queue.popitem(last=False)
            if not place.done():
                place.set_exception(TimeoutError(f"no answer within {self._silence:g}s"))
        if number > _AT_ONCE:
            asyncio.get_running_loop().call_soon(self._refuse, number - _AT_ONCE)
        else:
            self._watched = False
            if self._first or self._others:
                self._watch()


class OwnDatabase(Database):
    """A database over connections that are held from one call to the next, and used from one event loop."""

    def __init__(self, route: Route, *, timeout: float, connections: int) -> None:
        self._route = route
        self._url = route.url
        self._timeout = timeout
        self._capacity = Capacity(connections, timeout)

    @property
    def url(self) -> URL:
        return self._url

    @property
    def identity(self) -> str | None:
        return self._route.identity

    def capacity_before(self, number: int) -> Capacity:
        """Return the capacity for so many who make several calls, each of them `first`."""
        return Capacity(number, self._timeout, self._capacity)

    @abstractmethod
    async def connect(self) -> None:
        """See to it that there is a connection, which is held from now on, until it breaks."""

    @abstractmethod
    async def write(self, unit: Unit[T], *, timeout: float | None = None, first: bool = False) -> T:
        """Run ``unit`` in a transaction and commit it; ``first``: before others that wait for a connection."""

    @abstractmethod
    async def write_alone(self, call: Call[T], /, *, timeout: float | None = None, first: bool = False) -> T:
        """Make ``call`` by itself: one round trip, and no transaction around it unless a turn to write comes with one."""

    @abstractmethod
    async def wire(self) -> Wire | None:
        """Return one more connection, for callers' own threads and event loops; None where there is none to be
        had. Raises all that connecting can.
        """

    @abstractmethod
    async def read_alone(self, call: Call[T], /, *, timeout: float | None = None) -> T:
        """Make ``call``, which reads, by itself."""
