"""The fence on PostgreSQL beside whatever would end the grant (rule 11)."""

import re
import time
from collections.abc import Callable

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from lease import Grant, LeaseError, LeaseLost, SchemaMissing, fence, statements
from tests.lease.stores import Tables, in_thread
from tests.support.postgres import plain
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.anyio

LEVELS = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
End = Callable[[Connection, Grant], object]
ENDS: dict[str, End] = {
    "settled": lambda connection, grant: statements.settle(connection, [grant]),
    "stolen": lambda connection, grant: statements.grant(connection, [grant.name], "ben", 60.0),
    "released": statements.release,
    "proven dead": lambda connection, grant: statements.end_dead(connection, [grant]),
}


@pytest.fixture
def tables(postgres_tables: Tables) -> Tables:
    return postgres_tables


def at(engine: Engine, level: str) -> Engine:
    return engine.execution_options(isolation_level=level)


def waits(tables: Tables, number: int = 1) -> bool:
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(tables.value(blocked) >= number)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("end", list(ENDS))
def test_a_grant_does_not_end_while_a_transaction_is_fenced_with_it(
    tables: Tables, postgres_engine: Engine, level: str, end: str
) -> None:
    grant = tables.one("a")
    tables.make_stale("a")
    with at(postgres_engine, level).connect() as connection, connection.begin():
        fence(connection, grant)
        with in_thread(lambda: tables.run(lambda other: ENDS[end](other, grant))) as ended:
            if end == "released":
                wait_until(lambda: waits(tables), "the release waits for the fenced transaction")
            else:
                assert ended() == []
            assert tables.record("a").grant == grant
            connection.commit()
            ended()
    tables.run(lambda other: ENDS[end](other, grant))
    assert tables.record("a").grant != grant


@pytest.mark.parametrize("level", LEVELS)
def test_the_own_renewal_is_not_blocked_by_the_fence(tables: Tables, postgres_engine: Engine, level: str) -> None:
    """Rule 11: FOR SHARE would block it."""
    grant = tables.one("a")
    with at(postgres_engine, level).begin() as connection:
        fence(connection, grant)
        with in_thread(tables.renew) as renewed:
            assert renewed() == {("a", 1)}
        connection.execute(text("SELECT 1"))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("end", list(ENDS))
def test_a_fence_that_comes_too_late_raises(tables: Tables, postgres_engine: Engine, level: str, end: str) -> None:
    grant = tables.one("a")
    tables.make_stale("a")
    with at(postgres_engine, level).connect() as connection, connection.begin():
        connection.execute(text("SELECT FROM lease"))  # its snapshot may be older than the end of the grant
        tables.run(lambda other: ENDS[end](other, grant))
        with pytest.raises(LeaseLost, match=r"lease 'a' is lost: the grant with token 1 has ended"):
            fence(connection, grant)


@pytest.mark.parametrize("level", LEVELS)
def test_a_fence_that_waits_for_the_end_of_its_grant_raises(
    tables: Tables, postgres_engine: Engine, level: str
) -> None:
    grant = tables.one("a")

    def work() -> str:
        with at(postgres_engine, level).connect() as connection, connection.begin():
            connection.execute(text("SELECT FROM lease"))
            try:
                fence(connection, grant)
            except LeaseLost:
                return "lost"
            return "passed"

    with tables.engine.connect() as ending, ending.begin():
        statements.release(ending, grant)
        with in_thread(work) as outcome:
            wait_until(lambda: waits(tables), "the fence waits for the release")
            ending.commit()
            assert outcome() == "lost"


SETTINGS = ["idle_in_transaction_session_timeout", "statement_timeout", "transaction_timeout"]


def settings(connection: Connection) -> dict[str, str]:
    known = [name for name in SETTINGS if has(connection, name)]
    return {name: str(connection.scalar(text(f"SHOW {name}"))) for name in known}


def has(connection: Connection, setting: str) -> bool:
    return bool(connection.scalar(text("SELECT count(*) FROM pg_settings WHERE name = :name"), {"name": setting}))


def test_a_fence_bounds_this_transaction_and_no_later_one(tables: Tables, postgres_engine: Engine) -> None:
    grant = tables.one("a")
    with postgres_engine.connect() as connection:
        with connection.begin():
            fence(connection, grant, bound="20s")
            assert set(settings(connection).values()) == {"20s"}
        with connection.begin():
            assert set(settings(connection).values()) == {"0"}
        with connection.begin():
            fence(connection, grant)
            assert set(settings(connection).values()) == {"30s"}


def test_a_shorter_limit_of_the_users_own_stays(tables: Tables, postgres_engine: Engine) -> None:
    grant = tables.one("a")
    with postgres_engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = '1234ms'"))
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '1h'"))
        fence(connection, grant, bound="20s")
        bounded = settings(connection)
        assert bounded["statement_timeout"] == "1234ms"
        assert bounded["idle_in_transaction_session_timeout"] == "20s"


def test_a_bound_of_nothing_is_refused_and_a_bound_of_a_year_is_no_error(
    tables: Tables, postgres_engine: Engine
) -> None:
    grant = tables.one("a")
    with postgres_engine.begin() as connection:
        with pytest.raises(LeaseError, match="bound"):
            fence(connection, grant, bound=0)
        fence(connection, grant, bound="365d")
        assert "0" not in settings(connection).values()


def test_a_paused_fenced_transaction_is_ended_by_the_server_and_its_successor_is_granted(
    tables: Tables, postgres_engine: Engine
) -> None:
    """Rule 11: a paused holder can't hold off its successor for ever."""
    grant = tables.one("a")
    tables.make_stale("a")
    with postgres_engine.connect() as paused:
        transaction = paused.begin()
        fence(paused, grant, bound=1)
        assert tables.grant("a", holder="ben") == []
        wait_until(lambda: tables.grant("a", holder="ben"), "the server has ended the paused transaction")
        with pytest.raises(DBAPIError):
            paused.execute(text("SELECT 1"))
        transaction.close()


@pytest.mark.parametrize("own_limit", ["0", "1h"])
def test_a_fenced_transaction_that_is_never_idle_is_ended_too(
    tables: Tables, postgres_engine: Engine, own_limit: str
) -> None:
    """From PostgreSQL 17; a longer limit that is running already does not keep the fence's from being set."""
    grant = tables.one("a")
    with postgres_engine.connect() as connection:
        if not has(connection, "transaction_timeout"):
            pytest.skip("transaction_timeout is of PostgreSQL 17")
        connection.rollback()
        connection.execute(text(f"SET transaction_timeout = '{own_limit}'"))
        connection.commit()
        connection.begin()
        fence(connection, grant, bound=0.3)
        begun = time.monotonic()
        with pytest.raises(DBAPIError):  # noqa: PT012
            while time.monotonic() - begun < LIMIT:
                connection.execute(text("SELECT pg_sleep(0.02)"))


def test_a_role_that_may_execute_the_function_and_nothing_else_can_fence(tables: Tables, postgres_url: str) -> None:
    """Rule 11: SECURITY DEFINER."""
    grant = tables.one("a")
    with psycopg.connect(plain(postgres_url)) as connection:
        connection.execute("CREATE ROLE leased_job_role")
        connection.execute("REVOKE ALL ON FUNCTION lease_fence FROM PUBLIC")
        connection.execute("GRANT EXECUTE ON FUNCTION lease_fence TO leased_job_role")
        try:
            connection.execute("SET ROLE leased_job_role")
            fence(connection, grant)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT * FROM public.lease")
        finally:
            connection.rollback()  # takes the role along
    assert tables.record("a").grant == grant


def test_a_role_that_may_not_execute_the_function_is_told_what_it_needs(tables: Tables, postgres_url: str) -> None:
    grant = tables.one("a")
    with psycopg.connect(plain(postgres_url)) as connection:
        connection.execute("CREATE ROLE leased_job_role; REVOKE ALL ON FUNCTION lease_fence FROM PUBLIC")
        connection.execute("SAVEPOINT before")
        connection.execute("SET ROLE leased_job_role")
        with pytest.raises(LeaseError, match="permission denied for function lease_fence; let its owner") as refused:
            fence(connection, grant)
        assert not isinstance(refused.value, LeaseLost)
        (remedy,) = re.findall("grant this with (.*) TO ", str(refused.value))
        connection.execute("ROLLBACK TO before")
        connection.execute(f"{remedy} TO leased_job_role".encode())
        connection.execute("SET ROLE leased_job_role")
        connection.execute("RELEASE before")
        fence(connection, grant)
        connection.rollback()  # takes the role along


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("others", ["alone", "beside a renewal", "beside another fence"])
def test_a_fence_in_a_savepoint_is_refused_in_any_language(
    tables: Tables, postgres_url: str, level: str, others: str
) -> None:
    """It would go with the savepoint; one from before it stays, and may be repeated."""
    grant = tables.one("a")
    with psycopg.connect(plain(postgres_url)) as connection, tables.engine.begin() as other:
        for savepoint in (False, True):
            connection.execute(f"SET TRANSACTION ISOLATION LEVEL {level}".encode())
            connection.execute("SELECT FROM lease")
            if others == "beside a renewal":
                tables.renew()
            elif others == "beside another fence":
                statements.fence(other, grant)
            if not savepoint:
                connection.execute("SELECT lease_fence('a', 1, 'anna')")
            connection.execute("SAVEPOINT before")
            if not savepoint:
                connection.execute("SELECT lease_fence('a', 1, 'anna')")
                connection.commit()
                continue
            with pytest.raises(psycopg.errors.SavepointException, match="before any savepoint"):
                connection.execute("SELECT lease_fence('a', 1, 'anna')")
            connection.rollback()


def test_a_search_path_cannot_lead_the_fence_elsewhere(tables: Tables, postgres_url: str) -> None:
    tables.one("a")
    with psycopg.connect(plain(postgres_url)) as connection:
        connection.execute("CREATE SCHEMA evil")
        connection.execute("CREATE TABLE evil.lease (name text, token bigint, holder text)")
        connection.execute("INSERT INTO evil.lease VALUES ('a', 99, 'evil')")
        connection.execute("CREATE TEMPORARY TABLE lease (name text, token bigint, holder text)")
        connection.execute("INSERT INTO lease VALUES ('a', 99, 'evil')")
        connection.execute(
            "CREATE FUNCTION evil.ceil(numeric) RETURNS numeric LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$"
        )
        connection.execute("SET LOCAL search_path = evil, pg_temp, pg_catalog")
        connection.execute("SELECT public.lease_fence('a', 1, 'anna')")
        with pytest.raises(psycopg.Error) as refused:
            connection.execute("SELECT public.lease_fence('a', 99, 'evil')")
        assert refused.value.sqlstate == "LEASE"
        connection.rollback()


def test_any_language_can_call_the_fence_and_is_told_by_its_sqlstate(tables: Tables, postgres_url: str) -> None:
    tables.one("it's")
    with psycopg.connect(plain(postgres_url), autocommit=True) as connection:
        with connection.transaction():
            connection.execute("SELECT lease_fence('it''s', 1, 'anna')")
            connection.execute("SELECT lease_fence('it''s', 1, 'anna', bound => '5 seconds')")
        with pytest.raises(psycopg.Error, match=r'lease "it\'s" is lost: token 2 was never granted') as refused:
            connection.execute("SELECT lease_fence('it''s', 2, 'anna')")
    assert refused.value.sqlstate == "LEASE"


def test_a_schema_without_our_tables_is_named(tables: Tables, postgres_engine: Engine) -> None:
    grant = tables.one("a")
    with postgres_engine.begin() as connection, pytest.raises(SchemaMissing, match=r"schema.*elsewhere"):
        fence(connection, grant, schema="elsewhere")


async def test_what_a_program_makes_of_parameters_and_rows_is_no_matter_to_a_fence(
    tables: Tables, postgres_url: str
) -> None:
    async with await psycopg.AsyncConnection.connect(
        plain(postgres_url), row_factory=dict_row, cursor_factory=psycopg.AsyncRawCursor
    ) as connection:
        await fence(connection, tables.one("a"))
