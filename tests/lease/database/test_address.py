"""The addresses of databases: what is taken, what is refused, what is shown of one, and what is known of its kind, whose
name nothing else compares.
"""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine, bindparam, make_url, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncEngine

from lease import LeaseClient, LeaseError
from lease.database.address import describe, parse_address, place_of, plain_url, without_secrets
from lease.database.backend import (
    BACKENDS,
    POSTGRESQL,
    SQLITE,
    ConnectionSettings,
    backend_named,
    backend_of,
    schema_of,
)
from lease.database.connections import connected, route_to
from lease.database.dialects import Instant
from lease.database.driver_errors import detail, is_harmless
from lease.testing import MemoryStore


@pytest.mark.parametrize(
    "given",
    [
        "postgres://anna:secret@db:5433/shop",
        "postgresql://anna:secret@db:5433/shop",
        "postgresql+psycopg2://anna:secret@db:5433/shop",
        "postgresql+asyncpg://anna:secret@db:5433/shop",
        "postgresql+psycopg://anna:secret@db:5433/shop",
    ],
)
def test_an_address_of_postgresql_is_taken_as_it_comes(given: str) -> None:
    url = parse_address(given)
    assert url.render_as_string(hide_password=False) == "postgresql+psycopg://anna:secret@db:5433/shop"
    assert describe(url) == "postgresql://anna:***@db:5433/shop"


def test_an_address_of_sqlite_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for given in ("sqlite:///leased.db", "sqlite+aiosqlite:///leased.db", f"sqlite:///{tmp_path}/leased.db"):
        url = parse_address(given)
        assert (url.drivername, url.database) == ("sqlite+pysqlite", f"{tmp_path}/leased.db")
        assert describe(url) == describe(make_url(given)) == f"sqlite:///{tmp_path}/leased.db"
    harmless = parse_address("sqlite+aiosqlite:///leased.db?timeout=3&check_same_thread=false&uri=true")
    assert harmless == parse_address("sqlite:///leased.db")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_address("sqlite:///~/leased.db").database == f"{tmp_path}/leased.db"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:///file:leased.db?mode=memory&uri=true", "needs a file"),
        ("sqlite:///leased.db?mode=ro", "the parameter mode, which leased does not accept for SQLite"),
        ("sqlite:///leased.db?timeout=3&vfs=unix-none", "the parameter vfs"),
        ("sqlite:///leased.db?uri=true&nolock=1", "the parameter nolock"),
        ("sqlite:///file:///srv/le%61sed.db?uri=true", r"not a file: URI; write sqlite:////srv/leased\.db"),
        ("mysql://anna:secret@db/shop", "mysql is not supported"),
        ("oracle://anna:secret@db/shop", "oracle is not supported"),
        ("leased.db", "cannot be read"),
        ("", "cannot be read"),
        ("postgresql://anna:secret@db:port/shop", "cannot be read"),
        ("nonsense+driver://anna:secret@db/shop", "not supported"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_sentence_without_the_password(given: str, says: str) -> None:
    with pytest.raises(LeaseError, match=says) as refused:
        parse_address(given)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_schema_of_sqlite_is_refused_wherever_it_is_given() -> None:
    for given in (("sqlite:///leased.db?schema=shop", None), ("sqlite:///leased.db", "shop")):
        with pytest.raises(LeaseError, match="SQLite has no schemas; leave the schema out"):
            parse_address(*given)


@pytest.mark.parametrize("password", ["p@secret", "p@se/secret", "secret@", "@secret", "p@s:secret"])
def test_an_unencoded_password_is_refused_and_no_part_of_it_is_told(password: str) -> None:
    given = f"postgresql://anna:{password}@db/shop"
    with pytest.raises(LeaseError, match="%40 for") as refused:
        parse_address(given)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None
    if "s:" not in password:
        assert describe(make_url(given)) == "postgresql://***"


def test_an_at_sign_in_its_place_is_taken() -> None:
    assert parse_address("postgresql://anna@shop:p%40ss@db/shop").password == "p@ss"
    assert parse_address("postgresql://anna@shop:p%40ss@db/shop").username == "anna@shop"
    assert parse_address("postgresql://db/shop?user=anna@shop").query["user"] == "anna@shop"
    assert describe(parse_address("sqlite:////srv/a@b/leased.db")) == "sqlite:////srv/a@b/leased.db"


@pytest.mark.parametrize("schema", ["pg_leases", "information_schema", "7leases", "my leases", "l" * 64])
def test_what_cannot_be_a_schema_of_postgresql_is_refused(schema: str) -> None:
    with pytest.raises(LeaseError, match="schema"):
        parse_address("postgresql://db/shop", schema)


def test_a_store_has_no_schema() -> None:
    with pytest.raises(LeaseError, match="a schema belongs to a database, but this LeaseClient has a store"):
        LeaseClient(store=MemoryStore(), schema="leases")


def test_an_error_without_a_code_may_have_harmed_its_connection() -> None:
    assert not is_harmless(OSError("the connection was reset"))


def test_the_detail_of_an_error_is_found_in_whichever_layer_and_as_whichever_driver_has_it() -> None:
    class OfAsyncpg(Exception):
        detail = "Key (name)=(a) already exists."

    class OfPsycopg(Exception):
        diag = SimpleNamespace(message_detail=OfAsyncpg.detail)

    assert detail(OfAsyncpg()) == detail(OfPsycopg()) == "Key (name)=(a) already exists."
    assert detail(OSError("the connection was reset")) is None


def test_other_programs_get_the_url_with_its_password_and_without_what_is_ours() -> None:
    assert plain_url("postgresql+psycopg://anna:secret@db/shop?schema=leases") == "postgresql://anna:secret@db/shop"


def test_where_a_url_leads_is_told_without_what_its_user_logs_in_with() -> None:
    url = make_url(
        "postgresql://anna:secret@/shop?host=/run/db&port=1&schema=leases&sslkey=secret.key&passfile=secret.p"
    )
    assert without_secrets(url) == "postgresql://anna:***@/shop?host=%2Frun%2Fdb&port=1&schema=leases"


def test_a_connection_that_says_no_schema_finds_the_tables_where_its_kind_has_them(database_url: str) -> None:
    with connected(parse_address(database_url), ConnectionSettings()) as plain:
        schema = backend_of(plain).schema
        assert schema_of(plain.execution_options(schema_translate_map={None: None})) == schema
        assert schema_of(plain.execution_options(schema_translate_map={None: "leases"})) == (schema and "leases")


def test_a_password_in_the_query_is_not_told() -> None:
    assert "secret" not in describe(parse_address("postgresql://db/shop?user=anna&password=secret"))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://anna:secret@/shop?host=a:5432&host=b:5433", "postgresql://anna:***@a:5432,b:5433/shop"),
        ("postgresql:///shop?host=a&host=b", "postgresql://a,b/shop"),
        ("postgresql://anna@/shop?host=/run/postgresql", "postgresql://anna@/shop"),
    ],
)
def test_several_hosts_are_shown_as_libpq_writes_them(given: str, shown: str) -> None:
    assert describe(parse_address(given)) == shown


def test_no_representation_shows_a_password() -> None:
    client = LeaseClient("postgresql://anna:secret@db/shop")
    assert "secret" not in repr(client)
    assert "secret" not in repr(client._runtime)
    assert "secret" not in repr(parse_address("postgresql://anna:secret@db/shop"))
    assert "secret" not in repr(route_to("postgresql://anna:secret@db/shop"))


def test_a_database_that_is_not_supported_can_be_shown_all_the_same() -> None:
    assert describe(make_url("mysql+pymysql://anna:secret@db/shop")) == "mysql://anna:***@db/shop"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("postgresql://db/shop", "postgresql+asyncpg://anna:secret@db:5432/shop", True),
        ("postgresql:///shop", "postgresql://localhost/shop", True),
        ("postgresql://shop@db", "postgresql://anna@db/shop", True),
        ("sqlite:////srv/leased.db", "sqlite+aiosqlite:////srv/data/../leased.db", True),
        ("postgresql://db/shop", "postgresql://db:5433/shop", False),
        ("postgresql://db/shop", "postgresql://db/warehouse", False),
        ("postgresql://db/shop", "postgresql://other/shop", False),
        ("sqlite:////srv/leased.db", "sqlite:///:memory:", False),
        ("sqlite:////srv/leased.db", "sqlite:////srv/other.db", False),
    ],
)
def test_one_database_is_one_place_however_its_url_is_written(one: str, other: str, *, same: bool) -> None:
    assert (place_of(make_url(one)) == place_of(make_url(other))) is same


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


@pytest.mark.anyio
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
