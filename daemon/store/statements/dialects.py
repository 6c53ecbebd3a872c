"""Where PostgreSQL and SQLite differ, one named function each; and states as constants, so that partial indexes are seen to fit."""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from ..tables import run

PAUSED_HOLDER = 10.0
"""Seconds after which PostgreSQL ends a transaction in which nothing happens: a paused replica holds up nobody for longer."""

PENDING: ColumnElement[str] = literal_column("'pending'", Text)
RUNNING: ColumnElement[str] = literal_column("'running'", Text)
SCHEDULED: ColumnElement[str] = literal_column("'schedule'", Text)


def pending() -> ColumnElement[bool]:
    return run.c.state == PENDING


def running() -> ColumnElement[bool]:
    return run.c.state == RUNNING


def unfinished(of: Any = run) -> ColumnElement[bool]:
    """Return the condition that a run is not over, as the index has it."""
    condition: ColumnElement[bool] = of.c.state.in_([PENDING, RUNNING])
    return condition


def among(connection: Connection, of: ColumnElement[str], values: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a text is one of ``values``, as one parameter however many there are."""
    if connection.dialect.name == "postgresql":
        return of == any_(bindparam(None, list(values), type_=ARRAY(Text), unique=True))
    each = func.json_each(json.dumps(list(values))).table_valued(column("value", Text))
    return of.in_(select(each.c.value))


def insert_missing(connection: Connection, table: Table) -> Any:
    """Return an INSERT that passes over rows that are there."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table).on_conflict_do_nothing()


def number(value: Column[Any]) -> ColumnElement[str]:
    """Return SQL for the text of a whole number."""
    return cast(cast(value, BigInteger), Text)


class _Turn(FunctionElement[Any]):
    """Waits until no other transaction has this turn; SQLite has one writer at a time anyway."""

    type = Text()
    inherit_cache = True


@compiles(_Turn, "postgresql")
def _turn_postgresql(element: _Turn, compiler: SQLCompiler, **kw: Any) -> str:
    (key,) = list(element.clauses)
    return f"CAST(pg_advisory_xact_lock(hashtextextended({compiler.process(key, **kw)}, 7401936208)) AS text)"


@compiles(_Turn, "sqlite")
def _turn_sqlite(element: _Turn, compiler: SQLCompiler, **kw: Any) -> str:
    (key,) = list(element.clauses)
    return compiler.process(key, **kw)


def turn(key: str) -> ColumnElement[Any]:
    """Return SQL that gives this transaction its turn under ``key`` when it is selected; it ends with the transaction."""
    return _Turn(bindparam(None, key, type_=Text(), unique=True))


class _Bounded(FunctionElement[bool]):
    """True; on PostgreSQL the server ends this transaction when nothing happens in it for too long."""

    type = Boolean()
    inherit_cache = True


@compiles(_Bounded, "postgresql")
def _bounded_postgresql(_element: _Bounded, _compiler: SQLCompiler, **_kw: Any) -> str:
    milliseconds = round(PAUSED_HOLDER * 1000)
    return f"(SELECT set_config('idle_in_transaction_session_timeout', '{milliseconds}', true)) IS NOT NULL"


@compiles(_Bounded, "sqlite")
def _bounded_sqlite(_element: _Bounded, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "1"


def bounded() -> ColumnElement[bool]:
    """Return a condition that is always met, for the first statement that locks (as `lease.database.dialects.lock_timeout`).

    A replica that is paused in the middle of a transaction loses it, and holds off its successor no longer (rule 11).
    """
    return _Bounded()
