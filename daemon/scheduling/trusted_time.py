"""Transactions that go by the database's time only while that can be trusted (rule 13)."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from lease.database.database import Unit

from ..store import statements

T = TypeVar("T")
Trusts = Callable[[datetime], bool]
"""Returns whether the database's time can be trusted: on SQLite it is the machine's clock (ADR 14)."""


class ClockJumped(Exception):
    """The time could not be trusted at the begin of a transaction, or no more at its end: nothing was done."""


def by_trusted_time(unit: Unit[T], trusts: Trusts | None) -> Unit[T]:
    """Return the transaction that does ``unit``, and is undone with `ClockJumped` unless the time can be trusted
    before and after it: a transaction may wait long for its turn, and each of its statements looks at the clock.

    ``trusts`` is None where the time can always be trusted.
    """
    if trusts is None:
        return unit

    def check(connection: Connection) -> None:
        if not trusts(statements.schedule.database_time(connection)):
            raise ClockJumped

    def checked(connection: Connection) -> T:
        check(connection)
        done = unit(connection)
        check(connection)
        return done

    return checked


def part_by_trusted_time(connection: Connection, unit: Unit[T], trusts: Trusts | None) -> T | None:
    """Do ``unit`` as a part of a transaction, which goes on without it, with None, where the time can't be trusted."""
    if trusts is None:
        return unit(connection)
    try:
        with connection.begin_nested():
            return by_trusted_time(unit, trusts)(connection)
    except ClockJumped:
        return None
