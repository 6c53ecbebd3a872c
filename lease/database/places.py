"""SQL on the places of those who wait for a lease, which stand in its row as JSON (`lease.waiters`), where
PostgreSQL and SQLite differ in it.
"""

from typing import Any

from sqlalchemy import ColumnElement, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


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
