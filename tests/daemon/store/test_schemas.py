"""Installations in schemas of one PostgreSQL database, side by side; what cannot be a schema is refused."""

import json
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

import lease.schema
from daemon.cli import main
from daemon.store import migrations
from daemon.store.migrations.state import REVISIONS
from lease import Grant, LeaseError
from lease.database.address import describe, parse_address
from lease.sync import LeaseClient
from tests.support.postgres import plain, query
from tests.support.programs import ran

JOBS = """
import os
import psycopg
from daemon import Run, Schedules

schedules = Schedules("shop")
nightly = schedules.add("nightly", cron="30 2 1 1 *")

@nightly.job(timeout="1m")
def write(run: Run) -> None:
    with psycopg.connect(os.environ["LEASED_DATABASE_URL"]) as connection:
        run.fence(connection)
        connection.execute("INSERT INTO public.effect VALUES (%s, %s)", [os.environ["LEASED_SCHEMA"], run.token])

nightly.command("tell", "echo schema $LEASED_SCHEMA", timeout="1m")
"""


def tables_in(url: str) -> set[tuple[str, str]]:
    return set(query(url, "SELECT schemaname, tablename FROM pg_tables WHERE tablename IN ('lease', 'run')"))


@pytest.mark.usefixtures("processes")
@pytest.mark.extended
def test_two_installations_side_by_side_know_nothing_of_each_other(
    empty_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = plain(empty_postgres_url)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE effect (schema text, token bigint)")
    (tmp_path / "shop.py").write_text(JOBS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEASED_DATABASE_URL", url)
    once = ("run", "shop.py", "--now", "nightly", "--until-idle", "--no-web")
    for schema, times in (("ops", 2), ("Order", 1)):
        monkeypatch.setenv("LEASED_SCHEMA", schema)
        assert main(["status"]) == 1, "there are no tables yet"
        assert main(["db", "upgrade"]) == 0
        assert f"?schema={schema}: applied" in capsys.readouterr().out
        for _ in range(times):
            done = ran([sys.executable, "-P", "-m", "leased", *once], tmp_path)
            assert done.returncode == 0, done.stdout + done.stderr
        assert main(["audit"]) == 0
        assert main(["db", "restored", "--force"]) == 0
        capsys.readouterr()
    monkeypatch.delenv("LEASED_SCHEMA")
    assert query(url, "SELECT * FROM effect ORDER BY 1, 2") == [("Order", 1), ("ops", 1), ("ops", 2)]
    for schema, times in (("ops", 2), ("Order", 1)):
        assert main(["runs", "--json", "--database", f"{url}?schema={schema}"]) == 0
        assert len(json.loads(capsys.readouterr().out)["items"]) == times
    assert tables_in(url) == {(schema, table) for schema in ("ops", "Order") for table in ("lease", "run")}


def test_leases_of_two_schemas_are_apart_and_fences_find_theirs(empty_postgres_url: str) -> None:
    with psycopg.connect(plain(empty_postgres_url)) as user:
        engine = create_engine(empty_postgres_url, poolclass=NullPool)
        for schema in ("public", "ops", "ops"):
            with engine.begin() as connection:
                lease.schema.create_tables(connection, schema)
        with (
            LeaseClient(empty_postgres_url) as here,
            LeaseClient(empty_postgres_url, schema="ops") as there,
            here.hold("daily"),
            there.hold("daily") as held,
        ):
            held.fence(user)
            user.execute("SELECT 1")
            user.rollback()


def test_no_sql_is_made_of_what_cannot_be_a_schema(empty_sqlite_url: str) -> None:
    engine = create_engine(empty_sqlite_url, poolclass=NullPool)
    with engine.begin() as connection:
        with pytest.raises(LeaseError, match="cannot be the schema of leased's tables"):
            lease.schema.create_tables(connection, 'x"; DROP')
        with pytest.raises(LeaseError, match="cannot be the schema of leased's tables"):
            lease.fence(connection, Grant("a", 1, "anna"), schema='x"; DROP')


def test_the_script_makes_the_schema_and_the_same_tables(empty_postgres_url: str) -> None:
    with psycopg.connect(plain(empty_postgres_url)) as connection:
        connection.execute(migrations.sql("postgresql", schema="ops").encode())
    there = str(parse_address(empty_postgres_url, "ops").render_as_string(hide_password=False))
    assert migrations.current(there) == REVISIONS[-1]
    assert migrations.upgrade(there) == ()
    assert migrations.current(empty_postgres_url) is None
    assert "CREATE SCHEMA" not in migrations.sql("postgresql")


def test_the_schema_is_shown_unless_it_is_the_one_of_every_database() -> None:
    assert (
        describe(parse_address("postgresql://u:p@h/db?sslmode=require&schema=ops"))
        == "postgresql://u:***@h/db?schema=ops"
    )
    assert describe(parse_address("postgresql://h/db?schema=public")) == "postgresql://h/db"


@pytest.mark.parametrize(
    ("url", "schema", "sentence"),
    [
        (
            "postgresql://h/db",
            "a" * 64,
            "the name of a schema has at most 63 characters, but 'aaaaaaaaaaaaaaaaaaaa'… has 64",
        ),
        ("postgresql://h/db", "", "'' cannot be the schema of leased's tables"),
        ("postgresql://h/db", "pg_catalog", "use none of PostgreSQL's own"),
        ("postgresql://h/db", "ä", "use letters from a to z"),
        ("postgresql://h/db?schema=a&schema=b", None, "names several schemas; name one"),
        ("postgresql://h/db?schema=a", "b", "the database's URL has schema=a, but the schema 'b' is given too"),
    ],
)
def test_what_cannot_be_a_schema_is_one_sentence(url: str, schema: str | None, sentence: str) -> None:
    with pytest.raises(LeaseError) as refused:
        parse_address(url, schema)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(("url", "given"), [("postgresql://h/db", "no schema"), ("sqlite:///leased.db", "ops")])
def test_a_setting_that_is_of_no_use_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, given: str
) -> None:
    monkeypatch.setenv("LEASED_DATABASE_URL", url)
    monkeypatch.setenv("LEASED_SCHEMA", given)
    assert main(["status"]) == 2
    assert "leased: LEASED_SCHEMA: " in capsys.readouterr().err
