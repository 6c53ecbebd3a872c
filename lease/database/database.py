"""Units of work on the database, each bounded by the *client's* clock (rule 3).

A unit is a plain function of a SQLAlchemy connection, so that each statement is written once, for
PostgreSQL and SQLite, for async and sync programs alike.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import URL, Connection

from .connections import Route
from .held.capacity import Capacity
from .held.statement import Call
from .held.wire import Wire

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
        """Which database it is (`lease.database.held.identity`); None where that is not known."""

    async def write(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        """Run ``unit`` in a transaction and commit it."""

    async def read(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        """Run ``unit`` with each of its statements on its own (no transaction, no locks kept)."""

    async def close(self) -> None: ...


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
