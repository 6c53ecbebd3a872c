"""The rows that a statement is given as one parameter."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, Subquery, Text, bindparam, cast, literal_column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from lease.database.dialects import Instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def given(parameter: str, **columns: type[TypeEngine[Any]]) -> Subquery:
    """Return the rows of a parameter, whose values are in the order of ``columns`` (see `as_rows`)."""
    rows = _Elements(bindparam(parameter, type_=Text())).table_valued("value", name=f"{parameter}_json")
    fields = [_field(rows.c.value, place, type_()).label(name) for place, (name, type_) in enumerate(columns.items())]
    return select(*fields).select_from(rows).subquery(parameter)


def as_rows(rows: Iterable[Sequence[Any]]) -> str:
    """Return the value of such a parameter; moments are whole microseconds since 1970."""
    return json.dumps(list(rows), default=_microseconds)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def chosen(of: ColumnElement[Any], ids: Any) -> ColumnElement[bool]:
    """Return the condition that a key is one of those that a query finds; PostgreSQL looks each up
    by its index, also before it has statistics.
    """
    return _Chosen(of, ids)


def agrees(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that two values are equal, for rows that are found by their keys:
    PostgreSQL looks none up by it. Of a hundred grants of one holder, all under their first token, it
    would pair each with each, and for ten runs go through all that are pending.
    """
    return one.is_not_distinct_from(other)


class _Elements(FunctionElement[Any]):
    """The elements of a JSON array, as rows."""

    inherit_cache = True


@compiles(_Elements, "postgresql")
def _elements_postgresql(element: _Elements, compiler: SQLCompiler, **kw: Any) -> str:
    (array,) = list(element.clauses)
    return f"json_array_elements(CAST({compiler.process(array, **kw)} AS json))"


@compiles(_Elements, "sqlite")
def _elements_sqlite(element: _Elements, compiler: SQLCompiler, **kw: Any) -> str:
    (array,) = list(element.clauses)
    return f"json_each({compiler.process(array, **kw)})"


class _Element(FunctionElement[Any]):
    """One element of a JSON array."""

    inherit_cache = True


@compiles(_Element, "postgresql")
def _element_postgresql(element: _Element, compiler: SQLCompiler, **kw: Any) -> str:
    array, place = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({array} ->> {place})"


@compiles(_Element, "sqlite")
def _element_sqlite(element: _Element, compiler: SQLCompiler, **kw: Any) -> str:
    array, place = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"json_extract({array}, '$[{place}]')"


class _Moment(FunctionElement[Any]):
    """The moment that is so many microseconds after 1970, exactly."""

    inherit_cache = True


@compiles(_Moment, "postgresql")
def _moment_postgresql(element: _Moment, compiler: SQLCompiler, **kw: Any) -> str:
    (number,) = list(element.clauses)
    return f"to_timestamp(CAST({compiler.process(number, **kw)} AS double precision) / 1000000.0)"


@compiles(_Moment, "sqlite")
def _moment_sqlite(element: _Moment, compiler: SQLCompiler, **kw: Any) -> str:
    (number,) = list(element.clauses)
    return f"(CAST({compiler.process(number, **kw)} AS REAL) / 1000000.0)"


def _field(array: ColumnElement[Any], place: int, type_: TypeEngine[Any]) -> ColumnElement[Any]:
    element = _Element(array, literal_column(str(place), Integer))
    if isinstance(type_, Instant):
        return _Moment(element)
    element.type = Text() if isinstance(type_, Text) else type_
    return element if isinstance(type_, Text) else cast(element, type_)


class _Chosen(FunctionElement[Any]):
    """Whether a key is among those that a query finds. It has no type: no index finds "… = 1" on SQLite."""

    inherit_cache = True


@compiles(_Chosen, "postgresql")
def _chosen_postgresql(element: _Chosen, compiler: SQLCompiler, **kw: Any) -> str:
    of, found = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({of} = ANY (ARRAY{found}))"


@compiles(_Chosen, "sqlite")
def _chosen_sqlite(element: _Chosen, compiler: SQLCompiler, **kw: Any) -> str:
    of, found = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({of} IN {found})"
