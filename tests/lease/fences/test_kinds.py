"""What the fence takes, and what it refuses, on either kind of database (rule 11)."""

from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.orm import scoped_session, sessionmaker
from sqlalchemy.pool import NullPool

import lease
from lease import Grant, LeaseError, LeaseLost, fence
from lease.database.foreign import is_in_transaction
from tests.lease.stores import STEADY, Tables
from tests.support.databases import Server, ensure_template, fresh_database

WRONG = Grant("a", 7, "anna")


def test_a_fence_may_begin_its_transaction_be_repeated_and_come_before_a_savepoint(
    tables: Tables, engine: Engine
) -> None:
    grant = tables.one("a")
    with engine.connect() as connection:
        for _ in range(2):
            fence(connection, grant)
        connection.begin_nested().rollback()
        connection.commit()


def test_to_ask_a_scoped_session_that_is_not_in_use_begins_none(engine: Engine) -> None:
    sessions = scoped_session(sessionmaker(engine))
    assert not is_in_transaction(sessions)
    assert not sessions.registry.has()
    with sessions.begin():
        sessions.connection()
        assert is_in_transaction(sessions)
    sessions.remove()


def test_another_database_with_tables_of_its_own_is_refused_by_its_name(
    postgres_url: str, sqlite_url: str, tables: Tables
) -> None:
    """Whichever kind each of the two is."""
    for home in (postgres_url, sqlite_url):
        with lease.sync.LeaseClient(home, timing=STEADY) as client, client.hold("elsewhere") as held:
            other = postgres_url if home == sqlite_url else sqlite_url
            engine = create_engine(other, poolclass=NullPool)
            with engine.begin() as connection, pytest.raises(LeaseError, match="this connection is to") as refused:
                held.fence(connection)
            assert not isinstance(refused.value, LeaseLost)


@pytest.mark.parametrize("has_tables", [True, False], ids=["with tables of its own", "without tables"])
def test_another_database_of_the_same_server_is_refused_by_its_name(
    has_tables: bool, postgres_url: str, postgres_server: Server
) -> None:
    template = ensure_template(postgres_server) if has_tables else None
    with (
        fresh_database(postgres_server, template) as other,
        lease.sync.LeaseClient(postgres_url, timing=STEADY) as client,
        client.hold("a") as held,
    ):
        engine = create_engine(other, poolclass=NullPool)
        leads = f"this connection is to .*{make_url(other).database}"
        by_url = partial(fence, grant=held.grant, home=postgres_url)
        for fenced in (held.fence, by_url):
            with engine.begin() as connection, pytest.raises(LeaseError, match=leads) as refused:
                fenced(connection)
            assert not isinstance(refused.value, LeaseLost)


def test_a_lost_lease_is_lost_also_by_another_path_to_the_same_file(sqlite_url: str, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "leased.db")
    engine = create_engine(f"sqlite:///{link}", poolclass=NullPool)
    with Tables(sqlite_url) as tables, lease.sync.LeaseClient(sqlite_url, timing=STEADY) as client:
        held = client.acquire("a")
        tables.end_dead(held.grant)
        with engine.begin() as connection, pytest.raises(LeaseLost):
            held.fence(connection)


def test_a_database_in_memory_is_refused_and_no_file_is_made(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    engine = create_engine("sqlite://", poolclass=NullPool)
    with lease.sync.LeaseClient(sqlite_url, timing=STEADY) as client, client.hold("a") as held:
        with engine.begin() as connection, pytest.raises(LeaseError, match="this connection is to"):
            held.fence(connection)
        memory = create_engine("sqlite:///:memory:", poolclass=NullPool)
        with memory.begin() as connection, pytest.raises(LeaseError, match="this connection is to"):
            held.fence(connection)
        with memory.begin() as connection, pytest.raises(LeaseError, match="another database at the same address"):
            fence(connection, held.grant, home="sqlite://")
    assert not (tmp_path / ":memory:-turnstile").exists()


def test_in_a_folder_that_is_there_no_more_the_databases_are_named_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / "left").mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    memory = create_engine("sqlite://", poolclass=NullPool)
    with memory.begin() as connection, pytest.raises(LeaseError, match="this connection is to sqlite"):
        fence(connection, WRONG, home="postgresql://somewhere/db")


def test_a_file_that_is_there_no_more_is_not_taken_for_the_leases(sqlite_url: str, tmp_path: Path) -> None:
    with Tables(sqlite_url) as of_file, create_engine(sqlite_url, poolclass=NullPool).connect() as connection:
        grant = of_file.one("a")
        with connection.begin():
            fence(connection, grant, home=sqlite_url)
        (tmp_path / "leased.db").unlink()
        with connection.begin(), pytest.raises(LeaseError, match="another database at the same address"):
            fence(connection, grant, home=sqlite_url)
