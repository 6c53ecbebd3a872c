"""The table of leases: made, brought up to date, and left alone where it is none of ours."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, inspect, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from lease import Grant, LeaseError, LeaseLost, LeaseTiming, create_tables, schema, statements
from lease.clock import boot_id, boottime
from lease.schema import ADDED
from lease.sync import LeaseClient
from tests.lease.stores import SELDOM, Tables, in_thread
from tests.support.postgres import query
from tests.support.waiting import wait_until

FIRST = {
    "postgresql": """
CREATE TABLE public.lease (
    name TEXT COLLATE "C" NOT NULL,
    token BIGINT DEFAULT '0' NOT NULL,
    holder TEXT,
    label TEXT,
    boot TEXT,
    expires_at TIMESTAMP WITH TIME ZONE,
    granted_at TIMESTAMP WITH TIME ZONE,
    renewed_at TIMESTAMP WITH TIME ZONE,
    awaited_until TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (name),
    CONSTRAINT lease_grant_key UNIQUE (name, token, holder),
    CONSTRAINT lease_token_counts_up CHECK (token >= 0),
    CONSTRAINT lease_held_until CHECK ((holder IS NULL) = (expires_at IS NULL))
)
 WITH (fillfactor = 70)""",
    "sqlite": """
CREATE TABLE lease (
    name TEXT NOT NULL,
    token BIGINT DEFAULT '0' NOT NULL,
    holder TEXT,
    label TEXT,
    boot TEXT,
    expires_at DOUBLE,
    granted_at DOUBLE,
    renewed_at DOUBLE,
    awaited_until DOUBLE,
    PRIMARY KEY (name),
    CONSTRAINT lease_grant_key UNIQUE (name, token, holder),
    CONSTRAINT lease_token_counts_up CHECK (token >= 0),
    CONSTRAINT lease_held_until CHECK ((holder IS NULL) = (expires_at IS NULL))
)""",
}
"""The table as 0.1.0 made it."""
INDEX = "CREATE INDEX lease_holder_idx ON lease (holder)"


@pytest.fixture
def old_tables(empty_database_url: str) -> Iterator[Tables]:
    with Tables(empty_database_url) as tables:
        with tables.transaction() as connection:
            connection.execute(text(FIRST[connection.dialect.name]))
            connection.execute(text(INDEX))
        yield tables


def hold_as_the_first_version_did(tables: Tables) -> Grant:
    """A live lease, in the columns that the first version wrote."""
    if tables.postgresql:
        values = "clock_timestamp() + interval '1 hour', clock_timestamp(), clock_timestamp(), NULL"
    else:
        values = f"{boottime() + 3600}, 1700000000.0, 1700000000.0, '{boot_id()}'"
    with tables.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO lease (name, token, holder, label, expires_at, granted_at, renewed_at, boot)"
                f" VALUES ('a', 7, 'anna', 'old:1', {values})"
            )
        )
    return Grant("a", 7, "anna")


def test_a_table_of_the_first_version_is_brought_up_to_date_and_its_live_lease_stays_valid(old_tables: Tables) -> None:
    grant = hold_as_the_first_version_did(old_tables)
    for _ in range(2):
        old_tables.run(create_tables)
    columns = {column["name"] for column in inspect(old_tables.engine).get_columns("lease")}
    assert columns >= set(ADDED)
    old_tables.fence(grant)
    assert old_tables.grant("a", holder="ben") == []
    assert old_tables.renew("anna") == {("a", 7)}
    with LeaseClient(old_tables.url, timing=SELDOM) as client:
        record = client.read("a")
        assert record is not None
        assert (record.live, record.label) == (True, "old:1")
        assert client.try_acquire("a") is None
        assert old_tables.release(grant)
        held = client.acquire("a")
        assert held.token == 8
    with pytest.raises(LeaseLost):
        old_tables.fence(grant)


def test_adding_columns_does_not_hold_up_renewals_behind_a_long_transaction(
    empty_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LeaseTiming().tolerated_outage > schema._PATIENCE
    monkeypatch.setattr("lease.schema._PATIENCE", 0.1)
    with Tables(empty_postgres_url) as tables:
        with tables.transaction() as connection:
            connection.execute(text(FIRST["postgresql"]))
        with tables.transaction() as reading:
            reading.execute(text("SELECT FROM lease"))
            with pytest.raises(
                LeaseError, match=r"have had the table lease locked for 0\.1s; call create_tables again"
            ):
                tables.run(create_tables)
        with tables.transaction() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '7s'"))
            create_tables(connection)
            assert connection.scalar(text("SHOW lock_timeout")) == "7s"


def test_two_programs_that_make_the_tables_at_once_take_turns(empty_postgres_url: str) -> None:
    """CREATE TABLE IF NOT EXISTS alone fails where another transaction has just made the table."""
    engine = create_engine(empty_postgres_url, poolclass=NullPool)

    def make() -> None:
        with engine.begin() as connection:
            create_tables(connection)

    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with engine.connect() as first:
        create_tables(first)
        with in_thread(make) as made:
            wait_until(lambda: query(empty_postgres_url, waiting)[0][0], "the other waits")
            first.commit()
            made()
    with LeaseClient(empty_postgres_url, timing=SELDOM) as client, client.hold("a") as held:
        assert held.token == 1


def test_the_callers_own_tables_are_found_afterwards_where_they_were_found_before(empty_postgres_url: str) -> None:
    """Its connection may look for them in another schema than the library's."""
    query(empty_postgres_url, "CREATE SCHEMA shop; CREATE TABLE shop.flat (id int)")
    flat = Table("flat", MetaData(), Column("id", Integer))
    engine = create_engine(empty_postgres_url, poolclass=NullPool)
    for callers in (engine, engine.execution_options(schema_translate_map={None: "shop"})):
        with callers.begin() as connection:
            connection.execute(text("SET LOCAL search_path TO shop, public"))
            create_tables(connection)
            connection.execute(flat.insert().values(id=1))
    assert query(empty_postgres_url, "SELECT count(*) FROM shop.flat") == [(2,)]


def test_they_are_made_in_a_schema_of_their_own_whatever_is_elsewhere(empty_postgres_url: str) -> None:
    """Also where another program has a table of that name in the schema that is searched."""
    query(empty_postgres_url, "CREATE TABLE lease (id int)")
    engine = create_engine(empty_postgres_url, poolclass=NullPool)
    for _ in range(2):
        with engine.begin() as connection:
            create_tables(connection, "Own")
    query(empty_postgres_url, 'ALTER TABLE "Own".lease DROP COLUMN broken')
    with engine.begin() as connection:
        create_tables(connection, "Own")
    with LeaseClient(empty_postgres_url, timing=SELDOM, schema="Own") as client, client.hold("a") as held:
        assert held.token == 1
        with engine.begin() as connection:
            held.fence(connection)
            statements.fence(connection, held.grant, schema="Own")
            statements.fence(connection.execution_options(schema_translate_map={None: "Own"}), held.grant)


def test_another_programs_table_is_refused_and_left_as_it_is(empty_database_url: str) -> None:
    with Tables(empty_database_url) as tables:
        with tables.transaction() as connection:
            connection.execute(text("CREATE TABLE lease (id INTEGER PRIMARY KEY, flat TEXT, token BIGINT)"))
        with pytest.raises(
            LeaseError, match=r"the table lease in this database belongs to another program .*column 'name'"
        ):
            tables.run(create_tables)
        columns = [column["name"] for column in inspect(tables.engine).get_columns("lease")]
        assert columns == ["id", "flat", "token"]
        with (
            pytest.raises(LeaseError, match="another program"),
            LeaseClient(empty_database_url, timing=SELDOM) as client,
        ):
            client.try_acquire("a")
        assert [column["name"] for column in inspect(tables.engine).get_columns("lease")] == columns


@pytest.fixture
def modest(empty_postgres_url: str) -> Iterator[Engine]:
    """The database as a role sees it that owns nothing and may create nothing in it."""
    role = f"role_{uuid4().hex[:8]}"
    query(empty_postgres_url, f"CREATE ROLE {role} LOGIN PASSWORD 'modest'")
    engine = create_engine(make_url(empty_postgres_url).set(username=role, password="modest"), poolclass=NullPool)
    yield engine
    engine.dispose()
    query(empty_postgres_url, f"DROP ROLE {role}")


def test_a_role_that_owns_nothing_may_call_it_where_all_is_up_to_date(empty_postgres_url: str, modest: Engine) -> None:
    with Tables(empty_postgres_url) as tables:
        tables.run(create_tables)
    with modest.begin() as connection:
        create_tables(connection)


@pytest.mark.parametrize(
    "lacks", ["DROP TABLE lease", "ALTER TABLE lease DROP COLUMN broken", "DROP FUNCTION lease_fence"]
)
def test_a_role_that_may_not_make_what_is_missing_is_told_so(
    empty_postgres_url: str, modest: Engine, lacks: str
) -> None:
    with Tables(empty_postgres_url) as tables:
        tables.run(create_tables)
    query(empty_postgres_url, lacks)
    says = "this role cannot create or migrate leased's tables; run"
    with pytest.raises(LeaseError, match=says), modest.begin() as connection:
        create_tables(connection)


def test_what_else_the_database_refuses_is_raised_as_it_is(empty_postgres_url: str) -> None:
    engine = create_engine(empty_postgres_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        with pytest.raises(DBAPIError, match="read-only transaction"):
            create_tables(connection)


def test_a_function_of_another_version_is_replaced(empty_postgres_url: str) -> None:
    with Tables(empty_postgres_url) as tables:
        tables.run(create_tables)
        body = tables.value("SELECT prosrc FROM pg_proc WHERE proname = 'lease_fence'")
        query(
            empty_postgres_url,
            "CREATE OR REPLACE FUNCTION lease_fence(name text, token bigint, holder text,"
            " bound interval DEFAULT '30 seconds') RETURNS void LANGUAGE sql AS 'SELECT'",
        )
        tables.run(create_tables)
        assert tables.value("SELECT prosrc FROM pg_proc WHERE proname = 'lease_fence'") == body


def test_who_looks_at_the_table_is_told_what_the_names_of_its_columns_do_not_say(empty_postgres_url: str) -> None:
    """As with psql's backslash d-plus."""
    with Tables(empty_postgres_url) as tables:
        tables.run(create_tables)
        columns = inspect(tables.engine).get_columns("lease", schema="public")
    assert {column["name"] for column in columns if column["comment"]} == {"boot", "awaited_until", *ADDED}
