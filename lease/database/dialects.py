"""Where PostgreSQL and SQLite differ in SQL: one type or function for each difference, so that the statements are written
once. A third kind of database is one more keyword of `per_dialect`; a type checker then names what lacks it.
"""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    ColumnElement,
    Dialect,
    Double,
    Float,
    Insert,
    Table,
    Text,
    insert,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import SyntaxExtension
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import bindparam, literal
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NULLTYPE, TypeDecorator, TypeEngine

from ..clock import boot_id, boottime

T = TypeVar("T")
Written = str | Callable[..., str | ColumnElement[Any]]
"""SQL with a place for each argument (``{}``, ``{1}``); without any, it is not given the arguments. Or what makes it of their
SQL.
"""
UNTYPED: TypeEngine[Any] = NULLTYPE
"""Of a condition by which an index is searched: SQLite finds nothing by "(…) = 1", as which it would get one that is boolean."""

_SECONDS: TypeEngine[float] = Double()


def per_dialect(type_: TypeEngine[T], *, postgresql: Written, sqlite: Written) -> type[FunctionElement[T]]:
    """Return an SQL function that each kind of database is given in words of its own."""
    made: type[FunctionElement[T]] = type("PerDialect", (FunctionElement,), {"type": type_, "inherit_cache": True})
    for dialect, written in {"postgresql": postgresql, "sqlite": sqlite}.items():
        compiles(made, dialect)(partial(_compile, written))
    return made


def _compile(written: Written, element: FunctionElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    if isinstance(written, str) and "{" not in written:
        return written
    arguments = [compiler.process(clause, **kw) for clause in element.clauses]
    made = written.format(*arguments) if isinstance(written, str) else written(*arguments)
    return made if isinstance(made, str) else compiler.process(made, **kw)


Name = Text().with_variant(Text(collation="C"), "postgresql")
"""A name; names sort the same on every database."""

seconds_of = per_dialect(_SECONDS, postgresql="CAST(EXTRACT(epoch FROM {}) AS double precision)", sqlite="{}")
"""A moment as a number of seconds, whatever ``DateStyle`` says of how moments are shown."""


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
        seconds: ColumnElement[Any] = seconds_of(column)
        seconds.type = self
        return seconds

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        del dialect, coltype
        return _moment  # called for each value: by the general way of a decorator it takes twice as long


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


class Expiry(TypeDecorator[Any]):
    """A moment of the clock that leases expire by: the database's, or on SQLite the one since boot."""

    impl = Double
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if dialect.name == "postgresql" else Double())


SQLITE_NOW = "((julianday('now') - 2440587.5) * 86400.0)"
"""SQLite's wall clock, in seconds since 1970."""

now = per_dialect(Instant(), postgresql="clock_timestamp()", sqlite=SQLITE_NOW)
"""The database's wall clock at this very moment, not at the start of the transaction (rule 1)."""


def _boottime() -> ColumnElement[float]:
    return bindparam(None, callable_=boottime)


clock = per_dialect(Expiry(), postgresql="clock_timestamp()", sqlite=_boottime)
"""Now, by the clock that leases expire by; on SQLite, setting the wall clock does not move it (rule 1)."""

uptime = per_dialect(_SECONDS, postgresql="NULL", sqlite=_boottime)
"""The seconds since the machine's start on SQLite; NULL on PostgreSQL, whose clock goes on."""

this_boot = per_dialect(
    Text(),
    postgresql="NULL",
    sqlite=lambda: bindparam(None, callable_=boot_id),
)
"""The id of this machine's start on SQLite; NULL on PostgreSQL, whose clock goes on."""

_other_boot = per_dialect(
    Boolean(),
    postgresql="false",
    sqlite=f"COALESCE(NULLIF({{0}}, '') <> NULLIF({{4}}, ''), "
    f"{{1}} > {{5}} + 2.5 AND {{1}} < {{2}} AND {SQLITE_NOW} - {{3}} >= {{2}} - {{1}}, 0)",
)


def other_boot(of: Any) -> ColumnElement[bool]:
    """Return the condition on the columns of leases that a grant was made before the machine's last start; never so
    where the database's clock goes on.

    Where either id of the boot is not known (the platform has none, or hides it), an uptime still to come tells; one
    beyond the expiry is of an older grant (0.1.0 writes none). But the statement may run long after it was given the
    time, if its process was suspended. So the ttl since the last renewal must also be over by the wall clock.
    """
    return _other_boot(of.boot, of.uptime, of.expires_at, of.renewed_at, this_boot(), uptime())


_later = per_dialect(UNTYPED, postgresql="({} + make_interval(secs => {}))", sqlite="({} + {})")


def later(moment: ColumnElement[Any], seconds: float | ColumnElement[float]) -> ColumnElement[Any]:
    """Return SQL for ``seconds`` after ``moment``, to be written into a column."""
    return _later(moment, seconds if isinstance(seconds, ColumnElement) else literal(seconds, Double()))


seconds_between = per_dialect(
    Float(),
    postgresql="CAST(EXTRACT(epoch FROM {1} - {0}) AS double precision)",
    sqlite="({1} - {0})",
)
"""The seconds from one moment to another; NULL where one of them is."""


def seconds_until(moment: ColumnElement[Any]) -> ColumnElement[float]:
    """Return SQL for the seconds until ``moment`` (an `Instant`), by the database's clock; negative when it is past."""
    return seconds_between(now(), moment)


any_of = per_dialect(
    UNTYPED,
    postgresql="({} = ANY(ARRAY(SELECT json_array_elements_text(CAST({} AS json)))))",
    sqlite="({} IN (SELECT value FROM json_each({})))",
)
"""Whether a text is one of a JSON array's."""


def array_of(texts: Iterable[str]) -> str:
    """Return texts as `any_of` takes them: as they are, since not every encoding of a server has all that an escape
    could stand for. As one parameter, for a statement takes a limited number of them.
    """
    return json.dumps(list(texts), ensure_ascii=False)


without_first = per_dialect(
    Text(),
    postgresql="CAST(NULLIF(CAST({} AS jsonb) - 0, '[]') AS text)",
    sqlite="NULLIF(json_remove({}, '$[0]'), '[]')",
)
"""A JSON array without its first element; NULL when none is left."""

with_last = per_dialect(
    Text(),
    postgresql="CAST(COALESCE(CAST({} AS jsonb), '[]') "
    "|| jsonb_build_array(jsonb_build_array(CAST({} AS text), CAST({} AS text), {})) AS text)",
    sqlite="json_insert(COALESCE({}, '[]'), '$[#]', json_array({}, {}, {}))",
)
"""A JSON array of arrays (NULL: an empty one) with one more at its end, of two texts and a number."""


class _Milliseconds(TypeDecorator[float]):
    """Seconds, as a setting has them: whole milliseconds as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        del dialect
        return str(max(1, round(value * 1000)))


_lock_timeout = per_dialect(
    Boolean(),
    postgresql="(SELECT set_config('lock_timeout', {}, true)) IS NOT NULL",
    sqlite="1",
)


def lock_timeout(seconds: float | str) -> ColumnElement[bool]:
    """Return a condition that is always met and bounds the waits for row locks of the statement it
    stands in, to so many seconds or to what the parameter of that name says.

    It is local to the transaction (no session state), and needs no round trip of its own.
    """
    if isinstance(seconds, str):
        return _lock_timeout(bindparam(seconds, type_=_Milliseconds()))
    return _lock_timeout(bindparam(None, seconds, type_=_Milliseconds()))


soon_committed = per_dialect(
    Boolean(),
    postgresql="(SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL",
    sqlite="1",
)
"""A condition that is always met, for a transaction whose loss in a crash of the server harms nobody: others wait for what
it has locked until it is committed, and that does not wait for the disk.
"""

durably_committed = per_dialect(
    Boolean(),
    postgresql="(SELECT CASE current_setting('synchronous_commit') WHEN 'off' "
    "THEN set_config('synchronous_commit', 'on', true) ELSE '' END) IS NOT NULL",
    sqlite="1",
)
"""A condition that is always met, for a transaction that a crash of the server must not undo, even where the owner of a
database or a role has let commits return before they are on disk (``synchronous_commit = off``).
"""

_turn = per_dialect(Text(), postgresql="CAST(pg_advisory_xact_lock({}) AS text)", sqlite="{}")


def turn(key: int) -> ColumnElement[Any]:
    """Return SQL that gives this transaction its turn under ``key`` when it is selected; it ends
    with the transaction. SQLite has one writer at a time anyway.
    """
    return _turn(bindparam(None, key, type_=BigInteger()))


class _DoNothing(SyntaxExtension, FunctionElement[Any]):
    """What an INSERT does with a row that is there: nothing."""

    inherit_cache = True

    def apply_to_insert(self, insert_stmt: Insert) -> None:
        insert_stmt.apply_syntax_extension_point(self.append_replacing_same_type, "post_values")


compiles(_DoNothing)(lambda _element, _compiler, **_kw: "ON CONFLICT DO NOTHING")


def insert_missing(table: Table) -> Insert:
    """Return an INSERT that passes over rows that are there."""
    return insert(table).ext(_DoNothing())
