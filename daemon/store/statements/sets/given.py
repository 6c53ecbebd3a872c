"""The rows that a statement is given as one parameter."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, Subquery, Text, bindparam, cast, literal_column, select
from sqlalchemy.types import TypeEngine

from lease.database.dialects import Instant

from ..dialects import element, elements, moment

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def given(parameter: str, **columns: type[TypeEngine[Any]]) -> Subquery:
    """Return the rows of a parameter, whose values are in the order of ``columns`` (see `as_rows`)."""
    rows = elements(bindparam(parameter, type_=Text())).table_valued("value", name=f"{parameter}_json")
    fields = [_field(rows.c.value, place, type_()).label(name) for place, (name, type_) in enumerate(columns.items())]
    return select(*fields).select_from(rows).subquery(parameter)


def as_rows(rows: Iterable[Sequence[Any]]) -> str:
    """Return the value of such a parameter; moments are whole microseconds since 1970."""
    return json.dumps(list(rows), default=_microseconds)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


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
