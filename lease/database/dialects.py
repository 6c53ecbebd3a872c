"""Where PostgreSQL and SQLite differ: one type or SQL construct for each difference, so that the
statements are written once.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import TIMESTAMP, Boolean, ColumnElement, Dialect, Double, Float, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import bindparam, literal
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from ..clock import boot_id, boottime

Name = Text().with_variant(Text(collation="C"), "postgresql")
"""A name; names sort the same on every database."""


class _Epoch(FunctionElement[float]):
    """The seconds from 1970 to a moment, whatever ``DateStyle`` says of how moments are shown."""

    type: TypeEngine[Any] = Double()
    inherit_cache = True


@compiles(_Epoch, "postgresql")
def _epoch_postgresql(element: _Epoch, compiler: SQLCompiler, **kw: Any) -> str:
    (moment,) = list(element.clauses)
    return f"CAST(EXTRACT(epoch FROM {compiler.process(moment, **kw)}) AS double precision)"


@compiles(_Epoch, "sqlite")
def _epoch_sqlite(element: _Epoch, compiler: SQLCompiler, **kw: Any) -> str:
    (moment,) = list(element.clauses)
    return compiler.process(moment, **kw)


class Instant(TypeDecorator[datetime]):
    """An aware datetime in UTC: ``timestamptz`` on PostgreSQL, seconds since 1970 on SQLite.

    A result comes as seconds from both: the driver cannot read a moment in every ``DateStyle``.
    """

    impl = Double
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if dialect.name == "postgresql" else Double())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return value.timestamp()

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        seconds = _Epoch(column)
        seconds.type = self
        return seconds

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromtimestamp(value, UTC)


class Expiry(TypeDecorator[Any]):
    """A moment of the clock that leases expire by: the database's, or on SQLite the one since boot."""

    impl = Double
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if dialect.name == "postgresql" else Double())


SQLITE_NOW = "((julianday('now') - 2440587.5) * 86400.0)"
"""SQLite's wall clock, in seconds since 1970."""


class now(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function that it is
    """The database's wall clock at this very moment, not at the start of the transaction (rule 1)."""

    type = Instant()
    inherit_cache = True


@compiles(now, "postgresql")
def _now_postgresql(element: now, compiler: SQLCompiler, **kw: Any) -> str:
    return "clock_timestamp()"


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: SQLCompiler, **kw: Any) -> str:
    return SQLITE_NOW


class clock(FunctionElement[Any]):  # noqa: N801
    """Now, by the clock that leases expire by; on SQLite, setting the wall clock does not move it
    (rule 1).
    """

    type = Expiry()
    inherit_cache = True


@compiles(clock, "postgresql")
def _clock_postgresql(element: clock, compiler: SQLCompiler, **kw: Any) -> str:
    return "clock_timestamp()"


class uptime(FunctionElement[float]):  # noqa: N801
    """The seconds since the machine's start on SQLite; NULL on PostgreSQL, whose clock goes on."""

    type = Double()
    inherit_cache = True


@compiles(clock, "sqlite")
@compiles(uptime, "sqlite")
def _clock_sqlite(element: clock, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(bindparam(None, callable_=boottime, type_=Double(), unique=True), **kw)


class _Later(FunctionElement[Any]):
    """``moment`` and a number of seconds, added."""

    inherit_cache = True


@compiles(_Later, "postgresql")
def _later_postgresql(element: _Later, compiler: SQLCompiler, **kw: Any) -> str:
    moment, seconds = list(element.clauses)
    return f"({compiler.process(moment, **kw)} + make_interval(secs => {compiler.process(seconds, **kw)}))"


@compiles(_Later, "sqlite")
def _later_sqlite(element: _Later, compiler: SQLCompiler, **kw: Any) -> str:
    moment, seconds = list(element.clauses)
    return f"({compiler.process(moment, **kw)} + {compiler.process(seconds, **kw)})"


class _Between(FunctionElement[float]):
    """The seconds from the first moment to the second."""

    type = Float()
    inherit_cache = True


@compiles(_Between, "postgresql")
def _between_postgresql(element: _Between, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = (compiler.process(moment, **kw) for moment in element.clauses)
    return f"CAST(EXTRACT(epoch FROM {end} - {start}) AS double precision)"


@compiles(_Between, "sqlite")
def _between_sqlite(element: _Between, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = (compiler.process(moment, **kw) for moment in element.clauses)
    return f"({end} - {start})"


def later(moment: ColumnElement[Any], seconds: float | ColumnElement[float]) -> ColumnElement[Any]:
    """Return SQL for ``seconds`` after ``moment``, to be written into a column."""
    return _Later(moment, seconds if isinstance(seconds, ColumnElement) else literal(seconds, Double()))


def seconds_between(start: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[float]:
    """Return SQL for the seconds from ``start`` to ``end``; NULL where one of them is."""
    return _Between(start, end)


def seconds_until(moment: ColumnElement[Any]) -> ColumnElement[float]:
    """Return SQL for the seconds until ``moment`` (an `Instant`), by the database's clock; negative
    when it is past.
    """
    return _Between(now(), moment)


def seconds_of(moment: ColumnElement[Any]) -> ColumnElement[float]:
    """Return SQL for ``moment`` (an `Expiry`) as a number of seconds."""
    return _Epoch(moment)


class any_of(FunctionElement[bool]):  # noqa: N801 - its type is not Boolean: no index finds "… = 1" on SQLite
    """Whether a text is one of a JSON array's."""

    inherit_cache = True


@compiles(any_of, "postgresql")
def _any_of_postgresql(element: any_of, compiler: SQLCompiler, **kw: Any) -> str:
    text, array = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({text} = ANY(ARRAY(SELECT json_array_elements_text(CAST({array} AS json)))))"


@compiles(any_of, "sqlite")
def _any_of_sqlite(element: any_of, compiler: SQLCompiler, **kw: Any) -> str:
    text, array = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({text} IN (SELECT value FROM json_each({array})))"


def array_of(texts: Iterable[str]) -> str:
    """Return texts as `any_of` takes them: as they are, since not every encoding of a server has all that an escape
    could stand for. As one parameter, for a statement takes a limited number of them.
    """
    return json.dumps(list(texts), ensure_ascii=False)


_MEANWHILE = 2.5
"""Seconds between the moment at which a statement is given the time and the one at which it reads:
an attempt takes no longer.
"""


class other_boot(FunctionElement[bool]):  # noqa: N801
    """Whether a grant was made before the machine's last start; never so where the database's clock
    goes on.

    Of its boot, its uptime when last renewed, and its expiry. Where either id is not known (the platform
    has none, or it is hidden from one of the processes), an uptime still to come tells (by more than a
    renewal takes that is committed while this statement begins); one beyond the expiry is of an older
    grant (0.1.0 writes none).
    """

    type = Boolean()
    inherit_cache = True


@compiles(other_boot, "postgresql")
def _other_boot_postgresql(element: other_boot, compiler: SQLCompiler, **kw: Any) -> str:
    return "false"


@compiles(other_boot, "sqlite")
def _other_boot_sqlite(element: other_boot, compiler: SQLCompiler, **kw: Any) -> str:
    boot, renewed, expiry = (compiler.process(clause, **kw) for clause in element.clauses)
    here, now_ = compiler.process(this_boot(), **kw), compiler.process(uptime(), **kw)
    other = f"NULLIF({boot}, '') <> NULLIF({here}, '')"
    return f"COALESCE({other} OR ({renewed} > {now_} + {_MEANWHILE} AND {renewed} < {expiry}), 0)"


class this_boot(FunctionElement[str]):  # noqa: N801
    """The id of this machine's start on SQLite; NULL on PostgreSQL, whose clock goes on."""

    type = Text()
    inherit_cache = True


@compiles(this_boot, "postgresql")
@compiles(uptime, "postgresql")
def _this_boot_postgresql(element: this_boot, compiler: SQLCompiler, **kw: Any) -> str:
    return "NULL"


@compiles(this_boot, "sqlite")
def _this_boot_sqlite(element: this_boot, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(bindparam(None, callable_=boot_id, type_=Text(), unique=True), **kw)
