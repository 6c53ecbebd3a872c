"""SQL on the places of those who wait for a lease, which stand in its row as JSON (`lease.waiters`), where
PostgreSQL and SQLite differ in it.
"""

from typing import Any

from sqlalchemy import Boolean, ColumnElement, Text
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


_LASTS = "pg_logical_emit_message"
"""The function of PostgreSQL by which `made_to_last` waits for the disk; an owner may have revoked it."""
_MAY_LAST = (
    f"(SELECT bool_and(has_function_privilege(oid, 'execute')) FROM pg_catalog.pg_proc WHERE proname = '{_LASTS}')"
)


class woken_at_once(FunctionElement[bool]):  # noqa: N801 - reads as the function that it is
    """Whether those who have a place are told whose turn it is, by the only statement of a transaction whose commit
    does not wait for the disk then: `made_to_last` is to follow. For PostgreSQL.

    Its parameters: the channel, the name as JSON, the places, now, and how many are told at most. They are
    told in the words of `lease.waiters.format_release`.
    """

    type = Boolean()
    inherit_cache = True


@compiles(woken_at_once, "postgresql")
def _woken_at_once(element: woken_at_once, compiler: SQLCompiler, **kw: Any) -> str:
    channel, name, array, now, most = (compiler.process(one, **kw) for one in element.clauses)
    kept = f"CAST({array} AS jsonb), 'strict $[*] ? (@[2] > $now)', jsonb_build_object('now', {now})"
    first = f"'$[0 to $last][0]', jsonb_build_object('last', {most} - 1)"
    turns = f"jsonb_path_query_array(jsonb_path_query_array({kept}), {first})"
    payload = f"""concat('{{"name": ', {name}, ', "next": ', {turns}, '}}')"""
    # Both or neither: commits that notify wait for each other (rule 15).
    both = f"concat(set_config('synchronous_commit', 'off', true), pg_notify({channel}, {payload}))"
    may = f"{array} IS NOT NULL AND {_MAY_LAST} AND jsonb_path_exists({kept})"
    return f"(CASE WHEN {may} THEN {both} END) IS NOT NULL"


class made_to_last(FunctionElement[str]):  # noqa: N801 - reads as the function that it is
    """A text; its transaction is committed once all that the server has committed before is on disk. For PostgreSQL.

    It takes an empty message to those who decode the server's log: a commit that has written nothing would
    not wait.
    """

    type = Text()
    inherit_cache = True


@compiles(made_to_last, "postgresql")
def _made_to_last(_element: made_to_last, _compiler: SQLCompiler, **_kw: Any) -> str:
    return f"CAST({_LASTS}(true, 'lease', '') AS text)"
