"""Which database a fence takes: over another than the lease's, or over a copy, which has the row of the lease as well, it
is refused (rule 11).
"""

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.orm import scoped_session, sessionmaker
from sqlalchemy.pool import NullPool

import lease
from daemon.jobs.run import Run
from lease import Grant, LeaseError, LeaseLost, fence
from lease.clock import boottime
from lease.database import postgresql
from lease.database.foreign import is_in_transaction
from lease.schema import create_tables
from lease.statements import grant as grant_names
from lease.sync import Lease, LeaseClient
from tests.daemon.jobs.test_run import BRIEF
from tests.lease.fences import connections
from tests.lease.stores import SELDOM, STEADY, Tables, opened
from tests.support.binaries import Binaries
from tests.support.databases import Server, ensure_template, fresh_database
from tests.support.pair import Pair
from tests.support.postgres import PostgresServer, plain, query
from tests.support.proxy import Proxy
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Copied:
    """A lease that is held, where, and a copy of the database made meanwhile."""

    held: Lease
    home: str
    copy: str


@pytest.fixture(scope="module")
def copied(postgres_server: Server) -> Iterator[Copied]:
    with (
        fresh_database(postgres_server, ensure_template(postgres_server)) as home,
        LeaseClient(home, timing=SELDOM) as client,
        client.hold("a") as held,
        copy_of(home, postgres_server) as copy,
    ):
        assert query(copy, "SELECT holder FROM lease") == [(held.holder,)]
        yield Copied(held, home, copy)


@contextmanager
def copy_of(home: str, server: Server) -> Iterator[str]:
    """A copy of a database; who has connected to that must connect again, since a template is in nobody's use."""
    name = make_url(home).database
    query(server.url, f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}'")
    with fresh_database(server, name) as copy:
        yield copy


@contextmanager
def refused(copy: str) -> Iterator[None]:
    with pytest.raises(LeaseError, match=f"the lease is in .*, but this connection is to .*{copy}.*gate") as error:
        yield
    assert not isinstance(error.value, LeaseLost)
    assert "a-secret-of-the-tests" not in str(error.value)


@pytest.mark.parametrize("kind", connections.POSTGRESQL)
@pytest.mark.sampled(3)
async def test_a_copy_on_the_same_server_is_refused_over_every_kind_of_connection(copied: Copied, kind: str) -> None:
    opened = connections.POSTGRESQL[kind]
    async with opened(copied.home, "READ COMMITTED") as caller:
        await connections.settled(copied.held.fence(caller.connection))
    async with opened(copied.copy, "READ COMMITTED") as caller:
        with refused(str(make_url(copied.copy).database)):
            await connections.settled(copied.held.fence(caller.connection))


def identity_of(url: str) -> str:
    """What a client learns of a database."""
    with LeaseClient(url, timing=SELDOM) as client:
        client.read("a")
        home = client._runtime.home
    assert home is not None
    assert home.identity is not None
    return home.identity


@pytest.mark.parametrize("part", ["server", "database"])
def test_a_database_is_told_by_its_server_and_its_oid(copied: Copied, part: str) -> None:
    system, _, oid = identity_of(copied.home).partition("/")
    with psycopg.connect(plain(copied.home)) as connection:
        found = connection.execute(
            "SELECT system_identifier::text, (SELECT oid::text FROM pg_database WHERE datname = current_database())"
            " FROM pg_control_system()"
        ).fetchone()
        assert found == (system, oid)
        other = f"{system}1/{oid}" if part == "server" else f"{system}/{oid}1"
        lease.fence(connection, copied.held.grant, home=copied.home, identity=f"{system}/{oid}")
        with pytest.raises(LeaseError, match="another database at the same address"):
            lease.fence(connection, copied.held.grant, home=copied.home, identity=other)
        assert connection.execute("SELECT 1").fetchone() == (1,), "nothing has failed in the transaction"


def test_where_the_database_is_the_same_another_name_of_it_makes_no_difference(copied: Copied) -> None:
    by_another_name, identity = plain(copied.home).replace("127.0.0.1", "localhost"), identity_of(copied.home)
    with psycopg.connect(by_another_name) as connection:
        lease.fence(connection, copied.held.grant, home=copied.home, identity=identity)
        with pytest.raises(LeaseLost, match="never granted in this database"):
            lease.fence(connection, Grant("never", 1, "anna"), home=copied.home, identity=identity)


@pytest.mark.extended
def test_a_restored_dump_is_refused(postgres_programs: Binaries, tmp_path: Path) -> None:
    """On another server, in a database of the same name and OID."""
    file = str(tmp_path / "dump")

    def do(program: str, *arguments: str) -> None:
        command = [str(postgres_programs.folder / program), *arguments]
        subprocess.run(command, check=True, timeout=LIMIT, capture_output=True)

    with PostgresServer(postgres_programs) as first, PostgresServer(postgres_programs, like_no_other=True) as second:
        create(first.url())
        with LeaseClient(first.url(), timing=SELDOM) as client, client.hold("a") as held:
            do("pg_dump", "--format=custom", f"--file={file}", plain(first.url()))
            do("pg_restore", f"--dbname={plain(second.url())}", file)
            with psycopg.connect(plain(first.url())) as connection:
                held.fence(connection)
            with psycopg.connect(plain(second.url())) as connection, refused(str(second.port)):
                held.fence(connection)


@pytest.mark.extended
def test_a_standby_that_was_promoted_is_the_same_database(postgres_programs: Binaries) -> None:
    with Pair(postgres_programs) as pair:
        home = pair.primary.url()
        create(home)
        identity, before = identity_of(home), pair.primary.port
        engine = create_engine(home, poolclass=NullPool)
        with engine.begin() as connection:
            (grant,) = grant_names(connection, ["a"], "anna", 3600.0)
        pair.fail_over()
        assert pair.primary.port != before
        with psycopg.connect(plain(pair.primary.url())) as connection:
            lease.fence(connection, grant, home=home, identity=identity)


def create(url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        create_tables(connection)


@pytest.mark.parametrize("role", ["may", "may not"])
def test_where_not_all_may_ask_for_the_server_the_database_is_compared_alone(
    postgres_server: Server, role: str
) -> None:
    """Nothing fails for it, neither the client nor a fence."""
    with fresh_database(postgres_server, ensure_template(postgres_server)) as home:
        query(home, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        query(home, "CREATE ROLE leased_asking LOGIN PASSWORD 'a-secret-of-the-tests'")
        try:
            query(home, "GRANT ALL ON lease TO leased_asking; GRANT EXECUTE ON FUNCTION lease_fence TO leased_asking")
            if role == "may":
                query(home, "GRANT EXECUTE ON FUNCTION pg_control_system() TO leased_asking")
            own = make_url(home).set(username="leased_asking", password="a-secret-of-the-tests")
            url = own.render_as_string(hide_password=False)
            assert identity_of(url).startswith("/")
            with LeaseClient(url, timing=SELDOM) as client, client.hold("a") as held:
                with psycopg.connect(plain(url)) as connection:
                    held.fence(connection)
                with (
                    copy_of(home, postgres_server) as copy,
                    psycopg.connect(plain(copy)) as connection,
                    refused(str(make_url(copy).database)),
                ):
                    held.fence(connection)
        finally:
            query(home, "DROP OWNED BY leased_asking; DROP ROLE leased_asking")


async def test_a_connection_through_a_pooler_is_asked_again_which_database_it_leads_to(
    proxied_url: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pooler can be told of another server, as in a switch-over, while its clients stay connected."""
    proxy.pooling = True
    async with opened(proxied_url) as database:
        await database.read(lambda _: None)
        known, asked = database.identity, len(proxy.statements)
        database._route.identity = "another/1"
        await database.read(lambda _: None)
        assert (database.identity, len(proxy.statements)) == ("another/1", asked), "not each time"
        monkeypatch.setattr(postgresql, "_ASKED_AGAIN", 0.0)
        await database.read(lambda _: None)
        assert database.identity == known


def test_a_fence_is_one_statement(proxied_url: str, proxy: Proxy, postgres_url: str) -> None:
    with (
        LeaseClient(postgres_url, timing=SELDOM) as client,
        client.hold("a") as held,
        psycopg.connect(plain(proxied_url)) as connection,
    ):
        connection.execute("SELECT")
        asked = len(proxy.statements)
        held.fence(connection)
        assert len(proxy.statements) == asked + 1


def test_a_copy_in_the_place_of_the_file_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    """As after a restore that nobody has stopped the program for."""
    file = tmp_path / "leased.db"
    with LeaseClient(sqlite_url, timing=SELDOM) as client, client.hold("a") as held:
        with closing(sqlite3.connect(tmp_path / "copy.db")) as copy, closing(sqlite3.connect(file)) as source:
            source.backup(copy)
            assert copy.execute("SELECT holder FROM lease").fetchone() == (held.holder,)
        os.replace(file, tmp_path / "moved")  # noqa: PTH105 - as `mv` does
        os.replace(tmp_path / "copy.db", file)  # noqa: PTH105
        engine = create_engine(sqlite_url, poolclass=NullPool)
        with engine.begin() as connection, pytest.raises(LeaseError, match="another database at the same address"):
            held.fence(connection)


def run_of(grant: Grant, home: str) -> Run:
    """An attempt under a grant in the database ``home``, as a replica would tell a child of it."""
    brief = replace(BRIEF, grant=grant, database=home, identity=identity_of(home))
    return Run(brief, lambda: boottime() + 60, print)


def test_a_job_that_fences_in_a_copy_is_told_so(copied: Copied) -> None:
    run = run_of(copied.held.grant, copied.home)
    with psycopg.connect(plain(copied.copy)) as connection, refused(str(make_url(copied.copy).database)):
        run.fence(connection)


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


def test_another_database_with_tables_of_its_own_is_refused_by_its_name(postgres_url: str, sqlite_url: str) -> None:
    """Whichever kind each of the two is."""
    for home in (postgres_url, sqlite_url):
        with lease.sync.LeaseClient(home, timing=STEADY) as client, client.hold("elsewhere") as held:
            other = postgres_url if home == sqlite_url else sqlite_url
            engine = create_engine(other, poolclass=NullPool)
            with engine.begin() as connection, pytest.raises(LeaseError, match="this connection is to") as refused:
                held.fence(connection)
            assert not isinstance(refused.value, LeaseLost)


def test_a_database_without_tables_is_refused_by_its_name_too(postgres_url: str, postgres_server: Server) -> None:
    with (
        fresh_database(postgres_server, None) as other,
        LeaseClient(postgres_url, timing=STEADY) as client,
        client.hold("a") as held,
    ):
        by_url = partial(fence, grant=held.grant, home=postgres_url)
        for fenced in (held.fence, by_url):
            with create_engine(other, poolclass=NullPool).begin() as connection, refused(str(make_url(other).database)):
                fenced(connection)


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
