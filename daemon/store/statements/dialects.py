"""The differences between PostgreSQL and SQLite, one function each; and states as SQL constants.

A state as a parameter would keep the databases from using the partial indexes.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from importlib import import_module
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Integer,
    Table,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from lease.database.backend import backend_of
from lease.database.dialects import now

from ...states import MOST_ABANDONED
from ..tables import run, schedule

PENDING: ColumnElement[str] = literal_column("'pending'", Text)
RUNNING: ColumnElement[str] = literal_column("'running'", Text)
SCHEDULED: ColumnElement[str] = literal_column("'schedule'", Text)


MOMENT: ColumnElement[Any] = select(now()).scalar_subquery()
"""The database's time, asked once, where an index is to be searched by it: PostgreSQL would ask its clock for each row."""


def definition_with(setting: str) -> ColumnElement[str | None]:
    """Return the definition of a schedule if it may say something of a setting: those of many need not be sent."""
    return case((schedule.c.definition.contains(f'"{setting}":'), schedule.c.definition))


def pending() -> ColumnElement[bool]:
    return run.c.state == PENDING


def running() -> ColumnElement[bool]:
    return run.c.state == RUNNING


def on_last_chance(of: Any = run) -> ColumnElement[bool]:
    """Return the condition that one more abandoned attempt fails a run, or that runs of its
    schedule before were abandoned as often: what took a replica with it again and again runs apart
    from its like (rule 16).
    """
    own = and_(schedule.c.application == of.c.application, schedule.c.name == of.c.schedule)
    # No EXISTS: PostgreSQL would first go through all schedules.
    before = func.coalesce(select(schedule.c.abandoned).where(own).scalar_subquery(), 0)
    return or_(of.c.abandoned >= MOST_ABANDONED - 1, before >= MOST_ABANDONED - 1)


def at_last_chance(holder: str | ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that a holder has a run on its last chance at work."""
    at_work = run.alias("at_work")
    return exists().where(at_work.c.state == RUNNING, at_work.c.holder == holder, on_last_chance(at_work))


def unfinished(of: Any = run) -> ColumnElement[bool]:
    """Return the condition that a run is not over, as the index has it."""
    condition: ColumnElement[bool] = of.c.state.in_([PENDING, RUNNING])
    return condition


def all_pending() -> ColumnElement[bool]:
    """Return the condition that a run is pending, for a search of all runs: SQLite takes a partial
    index only for the condition that the index has.
    """
    return and_(unfinished(), pending())


class _Strings(TypeDecorator[list[str]]):
    """Several strings as one parameter: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(Text) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> Any:
        return value if dialect.name == "postgresql" else json.dumps(value)


class _Among(FunctionElement[bool]):
    """Whether a string is one of several."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> "_Among":
        """Return it unchanged in a condition: SQLite cannot use an index for ``(…) = 1``."""
        del against
        return self


@compiles(_Among, "postgresql")
def _among_postgresql(element: _Among, compiler: SQLCompiler, **kw: Any) -> str:
    of, strings = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({of} = ANY ({strings}))"


@compiles(_Among, "sqlite")
def _among_sqlite(element: _Among, compiler: SQLCompiler, **kw: Any) -> str:
    of, strings = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({of} IN (SELECT value FROM json_each({strings})))"


STRINGS = _Strings()


def among(of: ColumnElement[str], values: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a string is one of ``values``, which are a single parameter."""
    return among_these(of, bindparam(None, list(values), type_=STRINGS, unique=True))


def among_these(of: ColumnElement[str], values: BindParameter[list[str]]) -> ColumnElement[bool]:
    """Return the condition that a string is one of those of a parameter."""
    return _Among(of, values)


class _AmongKeys(FunctionElement[bool]):
    """Whether columns are one of the keys in a JSON array, each an array itself. It has no type: no
    index finds "… = 1" on SQLite.
    """

    inherit_cache = True


@compiles(_AmongKeys, "postgresql")
def _among_keys_postgresql(element: _AmongKeys, compiler: SQLCompiler, **kw: Any) -> str:
    *columns, array = list(element.clauses)
    types = ("bigint" if isinstance(column.type, Integer) else "text" for column in columns)
    key = ", ".join(f"CAST(key ->> {number} AS {type_})" for number, type_ in enumerate(types))
    of = ", ".join(compiler.process(column, **kw) for column in columns)
    keys = f"(SELECT {key} FROM json_array_elements(CAST({compiler.process(array, **kw)} AS json)) AS key)"
    # An array is looked up by an index. Without statistics, IN goes through all keys for each row that is not over.
    return f"({of} = ANY (ARRAY{keys}))" if len(columns) == 1 else f"(({of}) IN {keys})"


@compiles(_AmongKeys, "sqlite")
def _among_keys_sqlite(element: _AmongKeys, compiler: SQLCompiler, **kw: Any) -> str:
    *columns, array = list(element.clauses)
    key = ", ".join(f"json_extract(value, '$[{number}]')" for number in range(len(columns)))
    of = ", ".join(compiler.process(column, **kw) for column in columns)
    return f"(({of}) IN (SELECT {key} FROM json_each({compiler.process(array, **kw)})))"


def among_keys(columns: Sequence[Column[Any]], keys: Iterable[Any]) -> ColumnElement[bool]:
    """Return the condition that columns have one of ``keys``: tuples, or plain values of one column.

    They are a single parameter, as those of `among`: a statement takes a limited number of them.
    """
    listed = [key if isinstance(key, tuple) else (key,) for key in keys]
    return _AmongKeys(*columns, bindparam(None, json.dumps(listed), type_=Text(), unique=True))


class looked_up(FunctionElement[bool]):  # noqa: N801 - its type is not Boolean: no index finds "… = 1" on SQLite
    """Whether a column is equal to what another row says, to be looked up by an index. For "=" PostgreSQL would go
    through the whole table if it holds that for cheaper.
    """

    inherit_cache = True


@compiles(looked_up, "postgresql")
def _looked_up_postgresql(element: looked_up, compiler: SQLCompiler, **kw: Any) -> str:
    column, value = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({column} = ANY (ARRAY[{value}]))"


@compiles(looked_up, "sqlite")
def _looked_up_sqlite(element: looked_up, compiler: SQLCompiler, **kw: Any) -> str:
    column, value = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({column} = {value})"


class as_json_array(FunctionElement[str]):  # noqa: N801 - a function of SQL
    """The values of a group as the text of a JSON array, of which each element is an array if there are several."""

    type = Text()
    inherit_cache = True


@compiles(as_json_array, "postgresql")
def _as_json_array_postgresql(element: as_json_array, compiler: SQLCompiler, **kw: Any) -> str:
    values = compiler.process(element.clauses, **kw)
    return f"CAST(json_agg({f'json_build_array({values})' if len(element.clauses) > 1 else values}) AS text)"


@compiles(as_json_array, "sqlite")
def _as_json_array_sqlite(element: as_json_array, compiler: SQLCompiler, **kw: Any) -> str:
    values = compiler.process(element.clauses, **kw)
    return f"json_group_array({f'json_array({values})' if len(element.clauses) > 1 else values})"


def insert_or_replace(connection: Connection, table: Table, *columns: str) -> Any:
    """Return an INSERT that only sets these columns of rows that are there."""
    made = import_module(f"sqlalchemy.dialects.{backend_of(connection).name}").insert(table)
    return made.on_conflict_do_update(
        index_elements=list(table.primary_key), set_={column: made.excluded[column] for column in columns}
    )


def number(value: Column[Any]) -> ColumnElement[str]:
    """Return SQL for a whole number as a string."""
    return cast(cast(value, BigInteger), Text)


class _KeyedTurn(FunctionElement[Any]):
    """Waits until no other transaction has this turn; SQLite has one writer at a time anyway."""

    type = Text()
    inherit_cache = True


@compiles(_KeyedTurn, "postgresql")
def _turn_postgresql(element: _KeyedTurn, compiler: SQLCompiler, **kw: Any) -> str:
    (key,) = list(element.clauses)
    return f"CAST(pg_advisory_xact_lock(hashtextextended({compiler.process(key, **kw)}, 7401936208)) AS text)"


@compiles(_KeyedTurn, "sqlite")
def _turn_sqlite(element: _KeyedTurn, compiler: SQLCompiler, **kw: Any) -> str:
    (key,) = list(element.clauses)
    return compiler.process(key, **kw)


def turn(key: str) -> ColumnElement[Any]:
    """Return SQL that waits for the turn under ``key`` and keeps it until the transaction ends."""
    return _KeyedTurn(bindparam(None, key, type_=Text(), unique=True))


class _MayIdle(FunctionElement[bool]):
    """True; on PostgreSQL it also sets how long this transaction may be idle."""

    type = Boolean()
    inherit_cache = True


@compiles(_MayIdle, "postgresql")
def _may_idle_postgresql(element: _MayIdle, compiler: SQLCompiler, **kw: Any) -> str:
    (milliseconds,) = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(SELECT set_config('idle_in_transaction_session_timeout', {milliseconds}, true)) IS NOT NULL"


@compiles(_MayIdle, "sqlite")
def _may_idle_sqlite(_element: _MayIdle, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "1"


def may_idle(seconds: float) -> ColumnElement[bool]:
    """Return a condition that is always true, and lets this transaction wait for its next statement
    for so many seconds, longer than others (`lease.database.postgresql`). Compare
    `lease.database.contention.lock_timeout`.
    """
    return _MayIdle(literal_column(f"'{round(seconds * 1000)}'", Text))


class begin_snapshot(Executable, ClauseElement):  # noqa: N801 - reads as the statement that it is
    """Begins a read-only transaction that sees the database as of one moment."""

    inherit_cache = True


@compiles(begin_snapshot, "postgresql")
def _begin_snapshot_postgresql(_element: begin_snapshot, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


@compiles(begin_snapshot, "sqlite")
def _begin_snapshot_sqlite(_element: begin_snapshot, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "BEGIN"
