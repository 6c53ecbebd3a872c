"""A statement as a driver takes it: its text, with parameters in the style of the driver, and their values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Dialect, Executable
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import asyncpg

from lease.database.dialects import Instant


@dataclass(frozen=True, slots=True)
class DriverStatement:
    """The text of a statement and its values: by name, and in the order of their places in the text."""

    text: str
    values: Mapping[str, Any]
    in_order: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes statements for one driver."""

    dialect: Dialect

    def write(self, statement: Executable, schema: str | None) -> DriverStatement:
        """Return the statement, for tables that are in ``schema``."""
        schemas: Any = {"schema_translate_map": {None: schema}, "render_schema_translate": True} if schema else {}
        made: Any = statement.compile(dialect=self.dialect, **schemas)  # type: ignore[attr-defined]  # all that are sent have it
        values = {name: self._value(value) for name, value in made.construct_params().items()}
        return DriverStatement(str(made), values, tuple(values[name] for name in made.positiontup or ()))

    def _value(self, value: Any) -> Any:
        return Instant().process_bind_param(value, self.dialect) if isinstance(value, datetime) else value


PYFORMAT = Writer(postgresql.dialect(paramstyle="pyformat"))  # type: ignore[no-untyped-call]
"""For psycopg and psycopg2, and PostgreSQL under Django: ``%(name)s``."""
DOLLARS = Writer(asyncpg.dialect())  # type: ignore[no-untyped-call]
"""For asyncpg: ``$1``, with its type."""
NAMED = Writer(sqlite.dialect(paramstyle="named"))
"""For sqlite3: ``:name``."""
PYFORMAT_OF_SQLITE = Writer(sqlite.dialect(paramstyle="pyformat"))
"""For SQLite under Django."""
