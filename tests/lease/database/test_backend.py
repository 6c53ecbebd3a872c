"""What is known of a kind of database, and that nothing else compares its name."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, bindparam, make_url, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncEngine

from lease import LeaseError
from lease.database.backend import BACKENDS, POSTGRESQL, SQLITE, ConnectionSettings, backend_named, backend_of
from lease.database.dialects import Instant

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]
NAMES = {name for backend in BACKENDS for name in (backend.name, *backend.aliases)}
HAVE_SQL = {
    "lease/database/backend.py",
    "lease/database/dialects.py",
    "daemon/store/statements/dialects.py",
    "daemon/store/migrations/versions/0001_tables.py",
}
"""Where a kind of database may be called by its name: what it is, and the SQL in which it differs."""


@pytest.mark.parametrize(
    ("url", "backend"),
    [
        ("postgresql+asyncpg://db/shop", POSTGRESQL),
        ("postgres://db/shop", POSTGRESQL),
        ("sqlite+aiosqlite:///leased.db", SQLITE),
    ],
)
def test_a_url_has_the_backend_of_its_database_whatever_its_driver(url: str, backend: object) -> None:
    assert backend_of(make_url(url)) is backend


async def test_an_engine_and_its_connections_have_the_backend_of_their_url(
    engine: Engine, async_engine: AsyncEngine
) -> None:
    backend = backend_of(engine.url)
    with engine.connect() as connection:
        assert backend_of(engine) is backend_of(connection) is backend
    async with async_engine.connect() as asynchronous:
        assert backend_of(async_engine) is backend_of(asynchronous) is backend


def test_a_moment_comes_back_as_it_was_sent_in_utc_and_none_as_none(engine: Engine) -> None:
    with engine.connect() as connection:
        for moment in (datetime(2038, 1, 19, 3, 14, 7, 999_999, UTC), None):
            sent = bindparam("moment", moment, type_=Instant())
            came = connection.scalar(select(type_coerce(sent, Instant())))
            assert came == moment
            assert came is None or came.tzinfo is UTC


def test_a_database_that_is_not_supported_is_refused_by_name() -> None:
    with pytest.raises(LeaseError, match="mysql is not supported; use PostgreSQL"):
        backend_of(make_url("mysql://db/shop"))


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:////srv/leased.db", "/srv/leased.db"),
        ("sqlite:///file://localhost/srv/le%61sed.db?uri=true", "/srv/leased.db"),
        ("sqlite:///:memory:", None),
        ("sqlite://", None),
        ("postgresql://db/shop", None),
    ],
)
def test_only_a_database_in_a_file_has_one(url: str, file: str | None) -> None:
    assert backend_of(make_url(url)).file(make_url(url)) == file


def test_each_driver_is_given_what_it_knows_of_the_settings() -> None:
    settings = ConnectionSettings("leased", connect_within=5.0, lock_wait=60.0)
    assert POSTGRESQL.options(settings) == {
        "application_name": "leased",
        "connect_timeout": 5,
        "prepare_threshold": None,
        "client_encoding": "utf8",
    }
    assert SQLITE.options(settings) == {"timeout": 60.0}
    assert "connect_timeout" not in POSTGRESQL.options(ConnectionSettings())


def compared(tree: ast.AST) -> Iterator[object]:
    """Yield the constants that ``tree`` compares with something, or matches."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for part in (node.left, *node.comparators):
                yield from (inner.value for inner in ast.walk(part) if isinstance(inner, ast.Constant))
        elif isinstance(node, ast.MatchValue) and isinstance(node.value, ast.Constant):
            yield node.value.value


def test_nothing_but_the_dialects_asks_for_the_name_of_a_database() -> None:
    files = {
        str(path.relative_to(ROOT))
        for package in ("lease", "daemon")
        for path in (ROOT / package).rglob("*.py")
        if NAMES.intersection(filter(lambda found: isinstance(found, str), compared(ast.parse(path.read_text()))))
    }
    assert files <= HAVE_SQL


def test_a_backend_is_found_by_each_of_its_names() -> None:
    assert {backend_named(name) for name in NAMES} == set(BACKENDS)
