"""The differences between PostgreSQL and SQLite, one function each; states as SQL constants; and the conditions that many
statements share.

A state as a parameter would keep the databases from using the partial indexes.
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ColumnCollection,
    ColumnElement,
    Connection,
    Dialect,
    Double,
    FromClause,
    Integer,
    Select,
    Subquery,
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
    true,
)
from sqlalchemy.types import TypeDecorator, TypeEngine, to_instance

from lease.database.backend import backend_of
from lease.database.dialects import UNTYPED, Instant, now, per_dialect
from lease.model import Grant
from lease.schema import lease

from ...states import MOST_ABANDONED
from ..tables import run, schedule


def constant(value: str) -> ColumnElement[str]:
    """Return a string that stands in the statement itself."""
    return literal_column(f"'{value}'", Text)


PENDING = constant("pending")
RUNNING = constant("running")
SUCCEEDED = constant("succeeded")
FAILED = constant("failed")
CANCELLED = constant("cancelled")
SKIPPED = constant("skipped")
SCHEDULED = constant("schedule")

MOMENT: ColumnElement[Any] = select(now()).scalar_subquery()
"""The database's time, asked once, where an index is to be searched by it: PostgreSQL would ask its clock for each row."""

SOON: ColumnElement[datetime] = literal_column("statement_timestamp() + interval '1 minute'")
"""A moment that PostgreSQL knows as it plans a statement: it takes it that a third of all schedules are before one that
it doesn't, and would look at each of a million. It counts from the statement: a transaction may have waited for longer.
"""


def definition_with(setting: str) -> ColumnElement[str | None]:
    """Return the definition of a schedule if it may say something of a setting: those of many need not be sent."""
    return case((schedule.c.definition.contains(f'"{setting}":'), schedule.c.definition))


def columns(of: FromClause, names: str) -> list[ColumnElement[Any]]:
    """Return the columns of these names, which stand in one string."""
    return [of.c[name] for name in names.split()]


def if_given(column: ColumnElement[Any], value: object) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that a column has this value; none where that is None, which stands for any."""
    return () if value is None else (column == value,)


def same_schedule(one: Any, other: Any = schedule) -> ColumnElement[bool]:
    """Return the condition that two rows are of one schedule: each is that of a schedule, or of what belongs to one."""
    key, other_key = [of.c.schedule if "schedule" in of.c else of.c.name for of in (one, other)]
    return and_(one.c.application == other.c.application, key == other_key)


def of_schedule(of: FromClause, application: Any, name: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions that a row belongs to a schedule."""
    return of.c.application == application, of.c.schedule == name


def is_under(held: Any = lease, of: Any = run) -> ColumnElement[bool]:
    """Return the condition that a lease is held for a run, under its grant."""
    return and_(held.c.name == of.c.lease_name, held.c.token == of.c.token, held.c.holder == of.c.holder)


def has_grant(of: FromClause, grant: Grant) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions that a run, or an attempt, is under a grant."""
    return of.c.token == grant.token, of.c.holder == grant.holder


def are(keys: Collection[tuple[str, str]]) -> ColumnElement[bool]:
    """Return the condition that schedules have one of these keys (application, name)."""
    return among_keys((schedule.c.application, schedule.c.name), sorted(keys))


pending: ColumnElement[bool] = run.c.state == PENDING
running: ColumnElement[bool] = run.c.state == RUNNING

cause_of_run: ColumnElement[Any] = case(
    (run.c.backfill.is_not(None), constant("backfill")),
    (run.c.retry_of.is_not(None), constant("retry")),
    else_=run.c.trigger,
)
"""Why a run was made: a `RunCause`."""


def on_last_chance(of: Any = run) -> ColumnElement[bool]:
    """Return the condition that one more abandoned attempt fails a run, or that runs of its schedule before were
    abandoned as often: what took a replica with it again and again runs apart from its like (rule 16).
    """
    # No EXISTS: PostgreSQL would first go through all schedules.
    before = func.coalesce(select(schedule.c.abandoned).where(same_schedule(schedule, of)).scalar_subquery(), 0)
    return or_(of.c.abandoned >= MOST_ABANDONED - 1, before >= MOST_ABANDONED - 1)


def at_last_chance(holder: str | ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that a holder has a run on its last chance at work."""
    at_work = run.alias("at_work")
    return exists().where(at_work.c.state == RUNNING, at_work.c.holder == holder, on_last_chance(at_work))


def stands_apart(holder: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that a run on its last chance is not for this holder, which has another one at work."""
    return and_(at_last_chance(holder), on_last_chance())


def unfinished(of: FromClause = run) -> ColumnElement[bool]:
    """Return the condition that a run is not over, as the index has it."""
    return of.c.state.in_([PENDING, RUNNING])


all_pending = and_(unfinished(), pending)
"""A run is pending, for a search of all runs: SQLite takes a partial index only for the condition that it has."""


class _Strings(TypeDecorator[list[str]]):
    """Several strings as one parameter: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(Text) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> Any:
        return value if dialect.name == "postgresql" else json.dumps(value)


_among_these = per_dialect(Boolean(), postgresql="({} = ANY ({}))", sqlite="({} IN (SELECT value FROM json_each({})))")
"""The condition that a string is one of those of a parameter."""
# SQLite cannot use an index for "(…) = 1".
_among_these.self_group = lambda self, against=None: self  # type: ignore[method-assign]  # noqa: ARG005
_STRINGS = _Strings()


def among(of: ColumnElement[str], values: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a string is one of ``values``, a single parameter: a statement takes only so many."""
    return _among_these(of, bindparam(None, list(values), type_=_STRINGS, unique=True))


def _among_keys_postgresql(array: str, kinds: str, *columns: str) -> str:
    key = ", ".join(f"CAST(key ->> {number} AS {kind})" for number, kind in enumerate(kinds.split()))
    keys = f"(SELECT {key} FROM json_array_elements(CAST({array} AS json)) AS key)"
    # An array is looked up by an index. Without statistics, IN goes through all keys for each row that is not over.
    return f"({columns[0]} = ANY (ARRAY{keys}))" if len(columns) == 1 else f"(({', '.join(columns)}) IN {keys})"


def _among_keys_sqlite(array: str, _kinds: str, *columns: str) -> str:
    key = ", ".join([f"json_extract(value, '$[{number}]')" for number in range(len(columns))])
    return f"(({', '.join(columns)}) IN (SELECT {key} FROM json_each({array})))"


_among_keys = per_dialect(UNTYPED, postgresql=_among_keys_postgresql, sqlite=_among_keys_sqlite)


def among_keys(of: Column[Any] | Sequence[Column[Any]], keys: Iterable[Any]) -> ColumnElement[bool]:
    """Return the condition that a column has one of these values, or several columns one of the tuples, as `among`."""
    columns = of if isinstance(of, Sequence) else (of,)
    listed = [key if isinstance(key, tuple) else (key,) for key in keys]
    array = bindparam(None, json.dumps(listed), type_=Text(), unique=True)
    kinds = " ".join(["bigint" if isinstance(column.type, Integer) else "text" for column in columns])
    return _among_keys(array, literal_column(kinds), *columns)


chosen = per_dialect(UNTYPED, postgresql="({} = ANY (ARRAY{}))", sqlite="({} IN {})")
"""Whether a key is one of those that a query finds; PostgreSQL looks each up by its index, also before it has statistics."""

elements = per_dialect(UNTYPED, postgresql="json_array_elements(CAST({} AS json))", sqlite="json_each({})")
"""The elements of a JSON array, as rows."""

element = per_dialect(UNTYPED, postgresql="({} ->> {})", sqlite="json_extract({}, '$[{}]')")
"""One element of a JSON array."""

moment = per_dialect(
    UNTYPED,
    postgresql="to_timestamp(CAST({} AS double precision) / 1000000.0)",
    sqlite="(CAST({} AS REAL) / 1000000.0)",
)
"""The moment that is so many microseconds after 1970, exactly."""


as_json_array = per_dialect(
    Text(),
    postgresql=lambda *values: f"CAST(json_agg({_row('json_build_array', values)}) AS text)",
    sqlite=lambda *values: f"json_group_array({_row('json_array', values)})",
)
"""The values of a group as the text of a JSON array, of which each element is an array if there are several."""


def _row(made_by: str, values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"{made_by}({', '.join(values)})"


def in_rows(rows: Subquery) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions that a run is that of one of these rows, which have its id as their ``number``."""
    return chosen(run.c.id, select(rows.c.number).scalar_subquery()), run.c.id == rows.c.number


def proven(of: FromClause, rows: Subquery) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a run or an attempt at work is that of a row (number, token, holder), by its grant."""
    same_grant = (agrees(of.c.token, rows.c.token), agrees(of.c.holder, rows.c.holder))
    return of.c.id == rows.c.number, agrees(of.c.state, RUNNING), *same_grant


def newest_first(connection: Connection, query: Select[Any], key: ColumnElement[Any]) -> Select[Any]:
    """Return a query of a subquery that comes newest first already. PostgreSQL promises that order only if it is asked for
    again, and sorts nothing for it. SQLite would sort all rows again, but without that hands on each as it reads it.
    """
    return query if backend_of(connection).is_embedded else query.order_by(key.desc())


def with_newest(  # noqa: PLR0917 - what is joined to what
    connection: Connection,
    rows: FromClause,
    table: Table,
    name: str,
    columns: Collection[str],
    which: Callable[[Any], ColumnElement[bool]],
    *,
    by: str = "id",
) -> tuple[FromClause, ColumnCollection[str, Any]]:
    """Return ``rows``, each joined to that row of a table for which ``which`` holds and the column ``by`` is highest, and these
    columns of it: the end of an index has it. SQLite, which has no LATERAL, looks it up once more by its id. ``name`` is one
    that the statement has for nothing else.
    """
    one = _alias(table, name)
    newest = select(one.c.id).where(which(one)).order_by(one.c[by].desc()).limit(1)
    if backend_of(connection).is_embedded:
        found = _alias(table, f"{name}_row")
        return rows.outerjoin(found, found.c.id == newest.correlate_except(one).scalar_subquery()), found.c
    whole = newest.with_only_columns(*(one.c[name] for name in columns)).lateral()
    return rows.outerjoin(whole, true()), whole.c


@cache
def _alias(table: Table, name: str) -> Any:
    """Return a table under another name. It is kept: to make its columns for each statement was a tenth of what a status takes."""
    return table.alias(name)


def insert_or_replace(connection: Connection, table: Table, *columns: str) -> Any:
    """Return an INSERT that only sets these columns of rows that are there."""
    made = import_module(f"sqlalchemy.dialects.{backend_of(connection).name}").insert(table)
    return made.on_conflict_do_update(
        index_elements=list(table.primary_key), set_={column: made.excluded[column] for column in columns}
    )


def number(value: Column[Any]) -> ColumnElement[str]:
    """Return SQL for a whole number as a string."""
    return cast(cast(value, BigInteger), Text)


_turn = per_dialect(
    Text(), postgresql="CAST(pg_advisory_xact_lock(hashtextextended({}, 7401936208)) AS text)", sqlite="{}"
)


def turn(key: str) -> ColumnElement[Any]:
    """Return SQL that waits for the turn under ``key`` until the transaction ends; SQLite has one writer anyway."""
    return _turn(bindparam(None, key, type_=Text(), unique=True))


may_idle = per_dialect(
    Boolean(),
    postgresql="(SELECT set_config('idle_in_transaction_session_timeout', '10000', true)) IS NOT NULL",
    sqlite="1",
)
"""A condition, always true, by which this transaction may idle for longer (`lease.database.postgresql`): a sync of
thousands of schedules takes up to ten seconds between two statements.
"""


def parameter(name: str) -> Any:
    """Return a parameter of a statement that is kept: a string."""
    return bindparam(name, type_=Text())


def among_given(of: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Return the condition that a string is one of those of a parameter."""
    return _among_these(of, bindparam(name, type_=_STRINGS))


_TYPES: dict[Any, Any] = {int: BigInteger, float: Double, str: Text, bool: Boolean, datetime: Instant}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def given(name: str, /, **columns: Any) -> Subquery:
    """Return the rows of a parameter, whose values are in the order of ``columns`` (see `as_rows`); an int is a big one."""
    rows = elements(parameter(name)).table_valued("value", name=f"{name}_json")
    types = [(of, to_instance(_TYPES.get(type_, type_))) for of, type_ in columns.items()]
    fields = [_field(rows.c.value, place, type_).label(of) for place, (of, type_) in enumerate(types)]
    return select(*fields).select_from(rows).subquery(name)


def types_of(of: FromClause, names: str) -> dict[str, Any]:
    """Return the types of the columns of these names, which stand in one string."""
    return {column.name: column.type for column in columns(of, names)}


def as_rows(rows: Iterable[Sequence[Any]]) -> str:
    """Return the value of such a parameter; moments are whole microseconds since 1970."""
    return json.dumps(list(rows), default=lambda moment: (moment - _EPOCH) // timedelta(microseconds=1))


def agrees(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that two values are equal, for rows that are found by their keys:
    PostgreSQL looks none up by it. Of a hundred grants of one holder, all under their first token, it
    would pair each with each, and for ten runs go through all that are pending.
    """
    return one.is_not_distinct_from(other)


def _field(array: ColumnElement[Any], place: int, type_: TypeEngine[Any]) -> ColumnElement[Any]:
    value = element(array, literal_column(str(place), Integer))
    if isinstance(type_, Instant):
        return moment(value)
    value.type = Text() if isinstance(type_, Text) else type_
    return value if isinstance(type_, Text) else cast(value, type_)
