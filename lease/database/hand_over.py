"""The SQL of a hand-over on PostgreSQL: a release that wakes the next waiter before it is on disk (record 36)."""

from typing import Any

from sqlalchemy import Boolean, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

FLUSHES = "pg_logical_emit_message"
"""The function by which `flushed` waits for the disk; an owner may have revoked it."""
_SIGNATURES = ", ".join(  # the second one until PostgreSQL 16
    f"to_regprocedure('pg_catalog.{FLUSHES}(boolean, text, text{last})')" for last in (", boolean", "")
)
_MAY_FLUSH = f"has_function_privilege(coalesce({_SIGNATURES})::oid, 'execute')"


class woken_at_once(FunctionElement[bool]):  # noqa: N801 - reads as the function that it is
    """A notification to the first in the queue, in a commit that does not wait for the disk; false, and neither of
    the two, where the queue is empty, or this role may not call `flushed`.

    For a statement that is its whole transaction; `flushed` must follow. Its parameters: the channel, the
    name as JSON, the queue, now, and how many are notified at most. `lease.waiters.format_release` says the
    same in Python.
    """

    type = Boolean()
    inherit_cache = True


@compiles(woken_at_once, "postgresql")
def _woken_at_once(element: woken_at_once, compiler: SQLCompiler, **kw: Any) -> str:
    channel, name, array, now, most = (compiler.process(one, **kw) for one in element.clauses)
    kept = f"CAST({array} AS jsonb), 'strict $[*] ? (@[2] > $now)', jsonb_build_object('now', {now})"
    first = f"'$[0 to $last][0]', jsonb_build_object('last', {most} - 1)"
    turns = f"jsonb_path_query_array(jsonb_path_query_array({kept}), {first})"
    payload = f"""concat('{{"name": ', {name}, ', "next": ', queue.turns, '}}')"""
    # Both or neither: commits that notify wait for each other (rule 15).
    both = f"concat(set_config('synchronous_commit', 'off', true), pg_notify({channel}, {payload}))"
    woken = f"SELECT {both} FROM (SELECT {turns} AS turns) AS queue WHERE queue.turns <> '[]' AND {_MAY_FLUSH}"
    return f"(CASE WHEN {array} IS NOT NULL THEN ({woken}) END) IS NOT NULL"


class flushed(FunctionElement[str]):  # noqa: N801 - reads as the function that it is
    """A text; its transaction is committed once all that the server has committed before is on disk.

    It takes an empty message to those who decode the server's log: a commit that has written nothing would
    not wait.
    """

    type = Text()
    inherit_cache = True


@compiles(flushed, "postgresql")
def _flushed(element: flushed, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST({FLUSHES}(true, 'lease', '') AS text)"
