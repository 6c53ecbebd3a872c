"""A statement that is built once, and compiled once for each kind of database.

Building SQL anew, and looking up what SQLAlchemy compiled of it, costs more than a round trip to a
database on the same machine. So a statement here is a constant with parameters, and over the
library's own connections its text goes straight to the driver's cursor. Over any other connection
SQLAlchemy runs it, with the events that somebody may listen to.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import BindParameter, Connection, Dialect, Engine, Insert, Select, Update
from sqlalchemy.exc import DBAPIError

OWN = "lease_own"
"""The option of an engine whose connections nobody but the library uses, or listens to: what was
compiled for them, which goes with the engine.
"""
T = TypeVar("T")
Rows = Sequence[Sequence[Any]]
_Convert = Callable[[Any], Any]


class Described(Protocol):
    """A driver's cursor, which says of each column of its answer the name, the type …"""

    @property
    def description(self) -> Sequence[Sequence[Any]] | None: ...


class Statement:
    """One statement. Call it with a connection and its parameters; it returns all rows."""

    def __init__(self, construct: Select[Any] | Update | Insert) -> None:
        self._construct = construct

    def __call__(self, connection: Connection, values: Mapping[str, Any]) -> Rows:
        """Run it in the transaction of ``connection``."""
        if OWN not in connection.get_execution_options():
            return connection.execute(self._construct, values).all()
        if not connection.in_transaction():
            connection.begin()  # as `connection.execute` would
        compiled = self.compiled(connection)
        parameters = compiled.parameters(values)
        cursor = connection.connection.cursor()
        try:
            cursor.execute(compiled.text, parameters)
            return compiled.converted(cursor, cursor.fetchall())
        except Exception as error:
            dialect = connection.dialect
            base = dialect.loaded_dbapi.Error
            if not isinstance(error, base):
                raise
            raise DBAPIError.instance(compiled.text, parameters, error, base, dialect=dialect) from error
        finally:
            cursor.close()

    def compiled(self, connection: Connection | Engine) -> "Compiled":
        """Return its text for the database of ``connection``."""
        options = connection.get_execution_options()
        schemas = options.get("schema_translate_map") or {}
        key = (self, schemas.get(None))
        known: Known = options.get(OWN, {})
        if key not in known:
            known[key] = Compiled(self._construct, connection.dialect, schemas)
        return known[key]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One statement with its parameters, and what is made of its rows. It is a unit of work too: call
    it with a connection.
    """

    statement: Statement
    values: Mapping[str, Any]
    answer: Callable[[Rows], T]

    def __call__(self, connection: Connection) -> T:
        """Make it in the transaction of ``connection``."""
        return self.answer(self.statement(connection, self.values))


class Compiled:
    """The text of a statement for one kind of database, and what its driver takes and gives."""

    def __init__(
        self, construct: Select[Any] | Update | Insert, dialect: Dialect, schemas: Mapping[str | None, str | None]
    ) -> None:
        compiled = dialect.statement_compiler(
            dialect, construct, schema_translate_map=schemas, render_schema_translate=bool(schemas)
        )
        self.text = str(compiled)
        self._by_position = compiled.positiontup is not None
        self._names = [*compiled.bind_names.values()] if compiled.positiontup is None else compiled.positiontup
        bound = [_bound(compiled.binds[name], dialect) for name in self._names]
        self._given = [(key, get) for key, get, _ in bound]
        self._converts = [convert for _, _, convert in bound]
        self._types = [column.type.dialect_impl(dialect) for column in construct.exported_columns]
        self._dialect = dialect
        self._columns: list[_Convert | None] | None = None

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """Return what the driver is given for these values."""
        given = [values[key] if key else get() for key, get in self._given]
        converted = [
            value if convert is None else convert(value) for value, convert in zip(given, self._converts, strict=True)
        ]
        return tuple(converted) if self._by_position else dict(zip(self._names, converted, strict=True))

    def converted(self, cursor: Described, rows: Rows) -> Rows:
        """Return the rows of ``cursor`` as Python has them."""
        if self._columns is None:  # what a driver gives for a type is known by its first answer
            described = zip(self._types, cursor.description or (), strict=True)
            self._columns = [type_.result_processor(self._dialect, column[1]) for type_, column in described]
        if not any(self._columns):
            return rows
        return [
            [value if convert is None else convert(value) for convert, value in zip(self._columns, row, strict=True)]
            for row in rows
        ]


def _bound(parameter: BindParameter[Any], dialect: Dialect) -> tuple[str | None, Callable[[], Any], _Convert | None]:
    """Return under which key a parameter's value is given, or how to get it, and how to convert it."""
    value, get = parameter.value, parameter.callable
    convert = parameter.type.dialect_impl(dialect).bind_processor(dialect)
    return parameter.key if parameter.required else None, get or repeat(value).__next__, convert


# No dictionary that is weak in its dialects: what was compiled for one refers to it.
Known = dict[tuple[Statement, str | None], Compiled]
