"""A client on a SQLAlchemy engine connects as the engine does, or refuses the engine with a sentence."""

import shutil
import sqlite3
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

import lease.sync
from lease import LeaseError, StoreUnavailable, events
from lease.database.address import parse_address
from lease.database.backend import in_words_of_libpq
from lease.database.connections import route_to
from tests.lease.stores import STEADY, Recorder
from tests.support.postgres import plain
from tests.support.tls import TlsFront


@pytest.fixture
def front(postgres_url: str, tmp_path: Path, processes: None) -> Iterator[TlsFront]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificates")
    with TlsFront(make_url(postgres_url).port or 5432, tmp_path) as front:
        yield front


@pytest.fixture
def safe_url(postgres_url: str, front: TlsFront) -> str:
    """The test's database, where TLS leads to it."""
    return make_url(postgres_url).set(host="127.0.0.1", port=front.port).render_as_string(hide_password=False)


def token(engine: Engine | AsyncEngine, name: str) -> int:
    with lease.sync.LeaseClient(engine, timing=STEADY) as client, client.hold(name) as held:
        return held.token


def test_a_client_has_the_certificates_of_its_engine(safe_url: str, front: TlsFront) -> None:
    """The server wants a client's certificate, which stands in connect_args alone."""
    assert token(create_engine(safe_url, connect_args=front.client_arguments), "psycopg") == 1
    psycopg2 = make_url(safe_url).set(drivername="postgresql+psycopg2")
    assert token(create_engine(psycopg2, connect_args=front.client_arguments), "psycopg2") == 1
    asynchronous = create_async_engine(safe_url, connect_args=front.client_arguments)
    assert token(asynchronous, "asynchronous") == 1


def test_a_client_trusts_whom_its_engine_trusts(safe_url: str, front: TlsFront) -> None:
    stranger = front.client_arguments | {"sslrootcert": str(front.stranger)}
    with pytest.raises(StoreUnavailable, match="certificate verify failed"):
        token(create_engine(safe_url, connect_args=stranger), "a")


def test_a_listener_that_changes_what_its_engine_connects_with_is_asked_for_each_connection(
    safe_url: str, front: TlsFront
) -> None:
    """As for a password that is a token of a few minutes."""
    engine = create_engine(make_url(safe_url).set(password="none"), connect_args=front.client_arguments)
    asked = []

    @event.listens_for(engine, "do_connect")
    def provide_token(dialect: Any, record: Any, arguments: list[Any], parameters: dict[str, Any]) -> None:
        asked.append(parameters["password"])
        parameters["password"] = make_url(safe_url).password

    told = Recorder()
    with lease.sync.LeaseClient(engine, timing=STEADY, on_event=told) as client, client.hold("a"):
        told.wait_for(events.Renewed)  # over a connection of its own
    assert asked[:2] == ["none", "none"]


def test_a_listener_that_connects_by_itself_or_fails_is_told(safe_url: str, front: TlsFront) -> None:
    made: list[psycopg.Connection[Any]] = []

    def connect(*_: Any) -> psycopg.Connection[Any]:
        made.append(psycopg.connect(make_conninfo(plain(safe_url), **front.client_arguments)))
        return made[-1]

    def mistake(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        parameters["no_such"] = 1

    def fail(*_: Any) -> None:
        raise OSError("no token to be had")

    for listener, error, says in (
        (connect, LeaseError, "cannot take over a .do_connect. listener that makes the connection itself"),
        (mistake, LeaseError, "cannot take over no_such from this engine"),
        (fail, StoreUnavailable, "listener of the engine failed: .*no token to be had"),
    ):
        engine = create_engine(safe_url)
        event.listen(engine, "do_connect", listener)
        with pytest.raises(error, match=says):
            token(engine, "a")
    assert made
    assert all(one.closed for one in made)


def engines_that_nobody_can_follow(url: str) -> Iterator[tuple[Engine | AsyncEngine, str]]:
    def connect() -> Any:
        raise AssertionError

    yield create_engine(url, creator=connect), "creator, async_creator"
    yield create_async_engine(url, async_creator=connect), "creator, async_creator"
    yield create_engine(url, pool=QueuePool(connect)), "a pool of its own"
    yield create_engine(url, connect_args={"no_such": 1}), "take over no_such"
    yield create_engine(url, connect_args={"ssl": ssl.create_default_context()}), "take over ssl .an SSLContext."
    yield create_engine(url, connect_args={"password": lambda: "secret"}), "take over password"
    yield create_engine(url, connect_args={"ssl_context": ssl.create_default_context()}), "take over ssl_context"


def test_an_engine_that_nobody_can_follow_is_refused_in_one_sentence() -> None:
    for engine, says in engines_that_nobody_can_follow("postgresql+psycopg://anna:secret@127.0.0.1/shop"):
        with pytest.raises(LeaseError, match=says) as refused:
            route_to(engine)
        assert "give it a URL" in str(refused.value)
        assert "secret" not in str(refused.value)


def test_an_engine_of_sqlite_is_followed_to_its_file_and_no_further(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/leased.db"
    assert token(create_engine(url, connect_args={"timeout": 3, "check_same_thread": False}), "a") == 1
    assert (
        token(create_async_engine(url.replace("sqlite", "sqlite+aiosqlite", 1), connect_args={"timeout": 3}), "a") == 2
    )
    for engine in (
        create_engine(url, creator=lambda: sqlite3.connect(tmp_path / "other.db")),
        create_engine(url, connect_args={"factory": sqlite3.Connection}),
    ):
        with pytest.raises(LeaseError, match="cannot take over"):
            token(engine, "a")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"database": "shop", "username": "anna"}, {"dbname": "shop", "user": "anna"}),
        *(
            ({"ssl": mode}, {"sslmode": mode})
            for mode in ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
        ),
        ({"ssl": False}, {"sslmode": "disable"}),
        ({"ssl": None, "direct_tls": False, "ssl_context": False}, {}),
        ({"host": ["a", "b"], "port": [5432, 5433]}, {"host": "a,b", "port": "5432,5433"}),
        ({"host": "a", "port": 5432, "passfile": "f"}, {"host": "a", "port": 5432, "passfile": "f"}),
        ({"timeout": 5, "command_timeout": 60, "statement_cache_size": 0, "row_factory": dict}, {}),
        (
            {"server_settings": {"application_name": "shop", "search_path": "a b", "role": "a\\b"}},
            {"options": "-c search_path=a\\ b -c role=a\\\\b"},
        ),
        ({"server_settings": {"search_path": None}}, {}),
    ],
)
def test_the_words_of_other_drivers_are_translated(given: dict[str, Any], words: dict[str, Any]) -> None:
    assert in_words_of_libpq(given) == (words, [])


def test_an_engine_of_asyncpg_is_followed(postgres_url: str) -> None:
    url = make_url(postgres_url).set(drivername="postgresql+asyncpg")
    arguments = {"ssl": "prefer", "timeout": 3, "server_settings": {"search_path": "pg_catalog, public"}}
    assert token(create_async_engine(url, connect_args=arguments), "asyncpg") == 1


def test_trust_in_the_machines_own_authorities_is_translated() -> None:
    words, _ = in_words_of_libpq({"ssl": True})
    assert words["sslmode"] == "verify-full"
    assert words["sslrootcert"] == "system" or Path(words["sslrootcert"]).exists()
    for written in ("true", "True"):
        assert parse_address(f"postgresql+asyncpg://db/shop?ssl={written}").query == words


def test_what_has_no_translation_is_named() -> None:
    assert in_words_of_libpq({"ssl": "sometimes", "direct_tls": True, "dsn": "x"})[1] == ["direct_tls", "ssl", "dsn"]


def test_tls_in_a_url_of_asyncpg_is_translated() -> None:
    url = parse_address("postgresql+asyncpg://anna:secret@db/shop?ssl=verify-full&sslrootcert=ca.pem")
    assert dict(url.query) == {"sslmode": "verify-full", "sslrootcert": "ca.pem"}


def test_a_url_with_a_parameter_that_no_driver_takes_is_refused() -> None:
    with pytest.raises(LeaseError, match="URL has the parameter no_such, which PostgreSQL's driver does not accept"):
        route_to("postgresql://anna:secret@db/shop?no_such=1")
