"""Units of work on the database, each bounded by the *client's* clock (rule 3).

A unit is a plain function of a SQLAlchemy connection, so that each statement is written once, for
PostgreSQL and SQLite, for async and sync programs alike.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import URL, Connection

from ..errors import LeaseError, SchemaMissing, StoreUnavailable
from .address import describe
from .sqlstate import sqlstate

T = TypeVar("T")
Unit = Callable[[Connection], T]


class Database(Protocol):
    """A few connections to one database, and a bound on each attempt.

    `read` and `write` raise `StoreUnavailable` when the database cannot be reached, does not answer
    within the bound, or breaks off. What was asked may or may not have happened then. Other
    database errors pass through.
    """

    @property
    def url(self) -> URL: ...

    async def write(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        """Run ``unit`` in a transaction and commit it."""
        ...

    async def read(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        """Run ``unit`` with each of its statements on its own (no transaction, no locks kept)."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


def explain(error: BaseException, url: URL) -> LeaseError:
    """Return an error of ours for a driver's: one sentence, without passwords."""
    if tables_missing(error):
        return SchemaMissing(
            f"the database {describe(url)} does not have leased's tables; create them with `leased db upgrade`, or with "
            "lease.create_tables(connection) where only the library is used"
        )
    return StoreUnavailable(f"the database {describe(url)} cannot be used: {_said(error, url)}")


def tables_missing(error: BaseException) -> bool:
    """Return whether the database refused because it lacks some or all of the tables."""
    text = str(getattr(error, "orig", error))
    return sqlstate(error) in ("42P01", "42883", "3F000") or text.startswith("no such table")


def _said(error: BaseException, url: URL) -> str:
    """Return the one line of a driver's message that says most."""
    text = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    lines = [line.strip(" -\t") for line in text.splitlines() if line.strip()]
    line = lines[-1] if lines[0].startswith("Multiple connection attempts") else lines[0]
    password = str(url.password or "")
    return line.replace(password, "***") if password else line
