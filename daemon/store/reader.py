"""Makes values of rows: each column fills the field that it is named for, in any order."""

from collections.abc import Collection, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, FromClause

T = TypeVar("T")


class Reader(Generic[T]):
    """The columns of a query that fill fields of ``kind``, a dataclass or named tuple: those of ``table`` that have the
    name of a field, ``but`` for some, and those that are given.

    In the query they come first, labelled and in the order of its fields; what else a row has may follow.
    """

    def __init__(
        self,
        kind: type[T],
        table: FromClause | None = None,
        /,
        *,
        but: Collection[str] = (),
        **columns: ColumnElement[Any],
    ) -> None:
        fields: tuple[str, ...] = kind.__match_args__  # type: ignore[attr-defined]
        if unknown := columns.keys() - set(fields):
            raise TypeError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
        if table is not None:
            columns = {name: table.c[name] for name in fields if name in table.c and name not in but} | columns
        self._kind = kind
        self._names = [name for name in fields if name in columns]
        self._come_first = self._names == list(fields[: len(columns)])
        self.columns = [_named(name, columns[name]) for name in self._names]

    def read(self, row: Sequence[Any], **more: Any) -> T:
        """Return the value of a row; ``more`` are the fields that are not in it."""
        filled = row[: len(self._names)]
        if self._come_first:
            return self._kind(*filled, **more)  # in half the time
        return self._kind(**dict(zip(self._names, filled, strict=True)), **more)


def _named(name: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    return column if getattr(column, "name", None) == name else column.label(name)
