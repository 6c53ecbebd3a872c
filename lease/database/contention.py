"""SQL by which transactions keep out of each other's way, where PostgreSQL and SQLite differ in it."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, ColumnElement, Dialect, Insert, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator


class _Milliseconds(TypeDecorator[float]):
    """Seconds, as a setting has them: whole milliseconds as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else str(max(1, round(value * 1000)))


class _LockTimeout(FunctionElement[bool]):
    """True; on PostgreSQL it also bounds how long this statement waits for a locked row."""

    type = Boolean()
    inherit_cache = True


@compiles(_LockTimeout, "postgresql")
def _lock_timeout_postgresql(element: _LockTimeout, compiler: SQLCompiler, **kw: Any) -> str:
    (milliseconds,) = list(element.clauses)
    return f"(SELECT set_config('lock_timeout', {compiler.process(milliseconds, **kw)}, true)) IS NOT NULL"


@compiles(_LockTimeout, "sqlite")
def _lock_timeout_sqlite(element: _LockTimeout, compiler: SQLCompiler, **kw: Any) -> str:
    return "1"


def lock_timeout(seconds: float | str) -> ColumnElement[bool]:
    """Return a condition that is always met and bounds the waits for row locks of the statement it
    stands in, to so many seconds or to what the parameter of that name says.

    It is local to the transaction (no session state), and needs no round trip of its own.
    """
    if isinstance(seconds, str):
        return _LockTimeout(bindparam(seconds, type_=_Milliseconds()))
    return _LockTimeout(bindparam(None, seconds, type_=_Milliseconds(), unique=True))


class _SoonCommitted(FunctionElement[bool]):
    """True; on PostgreSQL the commit of this transaction does not wait for the disk."""

    type = Boolean()
    inherit_cache = True


@compiles(_SoonCommitted, "postgresql")
def _soon_committed_postgresql(element: _SoonCommitted, compiler: SQLCompiler, **kw: Any) -> str:
    return "(SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL"


@compiles(_SoonCommitted, "sqlite")
def _soon_committed_sqlite(element: _SoonCommitted, compiler: SQLCompiler, **kw: Any) -> str:
    return "1"


def soon_committed() -> ColumnElement[bool]:
    """Return a condition that is always met, for a transaction whose loss in a crash of the server harms
    nobody: others wait for what it has locked until it is committed, and that does not wait for the disk.
    """
    return _SoonCommitted()


class _DurablyCommitted(FunctionElement[bool]):
    """True; on PostgreSQL the commit of this transaction waits for the server's own disk at least."""

    type = Boolean()
    inherit_cache = True


@compiles(_DurablyCommitted, "postgresql")
def _durably_committed_postgresql(element: _DurablyCommitted, compiler: SQLCompiler, **kw: Any) -> str:
    on = "CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) ELSE '' END"
    return f"(SELECT {on}) IS NOT NULL"


@compiles(_DurablyCommitted, "sqlite")
def _durably_committed_sqlite(element: _DurablyCommitted, compiler: SQLCompiler, **kw: Any) -> str:
    return "1"


def durably_committed() -> ColumnElement[bool]:
    """Return a condition that is always met, for a transaction that a crash of the server must not undo, even where
    the owner of a database or a role has let commits return before they are on disk (``synchronous_commit = off``).
    """
    return _DurablyCommitted()


class _Turn(FunctionElement[Any]):
    """Waits until no other transaction has this turn; on SQLite there is one writer at a time
    anyway.
    """

    type = Text()
    inherit_cache = True


@compiles(_Turn, "postgresql")
def _turn_postgresql(element: _Turn, compiler: SQLCompiler, **kw: Any) -> str:
    (key,) = list(element.clauses)
    return f"CAST(pg_advisory_xact_lock({compiler.process(key, **kw)}) AS text)"


@compiles(_Turn, "sqlite")
def _turn_sqlite(element: _Turn, compiler: SQLCompiler, **kw: Any) -> str:
    (key,) = list(element.clauses)
    return compiler.process(key, **kw)


def turn(key: int) -> ColumnElement[Any]:
    """Return SQL that gives this transaction its turn under ``key`` when it is selected; it ends
    with the transaction.
    """
    return _Turn(bindparam(None, key, type_=BigInteger(), unique=True))


class _WithoutFirst(FunctionElement[str]):
    """A JSON array without its first element; NULL instead of an empty one."""

    type = Text()
    inherit_cache = True


@compiles(_WithoutFirst, "postgresql")
def _without_first_postgresql(element: _WithoutFirst, compiler: SQLCompiler, **kw: Any) -> str:
    (array,) = list(element.clauses)
    return f"CAST(NULLIF(CAST({compiler.process(array, **kw)} AS jsonb) - 0, '[]') AS text)"


@compiles(_WithoutFirst, "sqlite")
def _without_first_sqlite(element: _WithoutFirst, compiler: SQLCompiler, **kw: Any) -> str:
    (array,) = list(element.clauses)
    return f"NULLIF(json_remove({compiler.process(array, **kw)}, '$[0]'), '[]')"


def without_first(array: ColumnElement[str]) -> ColumnElement[str]:
    """Return SQL for a JSON array without its first element; NULL when none is left."""
    return _WithoutFirst(array)


class _WithLast(FunctionElement[str]):
    """A JSON array of arrays with one more at its end, of three values."""

    type = Text()
    inherit_cache = True


@compiles(_WithLast, "postgresql")
def _with_last_postgresql(element: _WithLast, compiler: SQLCompiler, **kw: Any) -> str:
    array, first, second, third = (compiler.process(one, **kw) for one in element.clauses)
    entry = f"jsonb_build_array(CAST({first} AS text), CAST({second} AS text), {third})"
    return f"CAST(COALESCE(CAST({array} AS jsonb), '[]') || jsonb_build_array({entry}) AS text)"


@compiles(_WithLast, "sqlite")
def _with_last_sqlite(element: _WithLast, compiler: SQLCompiler, **kw: Any) -> str:
    array, *values = (compiler.process(one, **kw) for one in element.clauses)
    return f"json_insert(COALESCE({array}, '[]'), '$[#]', json_array({', '.join(values)}))"


def with_last(array: ColumnElement[str], *values: ColumnElement[Any]) -> ColumnElement[str]:
    """Return SQL for a JSON array of arrays (NULL: an empty one) with one more, of two texts and a
    number.
    """
    return _WithLast(array, *values)


class _DoNothing(FunctionElement[Any]):
    """What an INSERT does with a row that is there: nothing."""

    inherit_cache = True


@compiles(_DoNothing)
def _do_nothing(_element: _DoNothing, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "ON CONFLICT DO NOTHING"


class insert_missing(Insert):  # noqa: N801 - reads as the statement that it is
    """An INSERT that passes over rows that are there."""

    inherit_cache = True
    _post_values_clause = _DoNothing()
