"""What SQLAlchemy has compiled for one engine serves all others of the process.

A pytest plugin. Each test opens engines of its own, and to compile their statements takes longer than to run them. A
program has one engine, and what that has compiled.
"""

from typing import Any

from sqlalchemy import Dialect, Engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from lease.database import dialects


class Compiled(dict[Any, Any]):
    """By the statement and by the kind of database, where SQLAlchemy has the engine's own dialect in its keys."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_by_kind(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(_by_kind(key), compiled)


_COMPILED = Compiled()


def pytest_configure() -> None:
    for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        dialect.engine_created = classmethod(_share)  # type: ignore[method-assign, assignment]


def _share(_: type[Dialect], engine: Engine) -> None:
    if "compiled_cache" not in engine.get_execution_options():
        engine.update_execution_options(compiled_cache=_COMPILED)


def _by_kind(key: tuple[Any, ...]) -> tuple[Any, ...]:
    dialect, *statement = key
    version = getattr(dialect, "server_version_info", None)
    # On SQLite a statement remembers the clock that it was compiled with, which a test may have put there.
    clock = (vars(dialects)["boottime"], vars(dialects)["boot_id"])
    return (type(dialect), dialect.paramstyle, version, clock, *statement)
