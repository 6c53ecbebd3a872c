"""The tables are made, brought up to date and checked; two that do it at once both come up."""

import logging
import multiprocessing
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, make_url, text, update
from sqlalchemy.pool import NullPool

import lease.schema
from daemon.errors import SchemaNotReady
from daemon.store import migrations
from daemon.store.migrations import SchemaTooNew, SchemaTooOld, TablesMissing
from daemon.store.migrations.state import REVISIONS, VERSION_TABLE, MayNotMigrate
from daemon.store.tables import metadata
from daemon.store.tables import schedule as schedule_table
from lease.errors import StoreUnavailable
from tests.daemon.store.upgraded import upgraded
from tests.support.databases import Server
from tests.support.postgres import plain, query
from tests.support.store import Store, a_schedule
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.conformance

FOLDER = Path(migrations.__file__).parent
HEAD = REVISIONS[-1]


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = create_engine(database_url, poolclass=NullPool)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def at_revision(url: str, revision: str) -> None:
    with Store(url) as store:
        store.do(lambda connection: connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'")))


def test_an_empty_database_gets_all_tables_and_a_second_upgrade_nothing(empty_database_url: str) -> None:
    assert migrations.current(empty_database_url) is None
    assert migrations.upgrade(empty_database_url) == REVISIONS
    assert migrations.upgrade(empty_database_url) == ()
    assert migrations.current(empty_database_url) == HEAD
    migrations.check(empty_database_url)
    with Store(empty_database_url) as store:
        assert store.sync(a_schedule()).added == ("sync",)


def test_the_tables_are_those_of_the_code(connection: Connection) -> None:
    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "include_object": lambda _, name, kind, *rest: kind != "table" or name not in ("lease", VERSION_TABLE),
        },
    )
    assert compare_metadata(context, metadata) == []


def test_the_checks_and_indexes_are_those_of_the_code(connection: Connection) -> None:
    inspector = inspect(connection)
    for table in metadata.sorted_tables:
        checks = {check["name"] for check in inspector.get_check_constraints(table.name)}
        wanted = {str(one.name) for one in table.constraints if type(one).__name__ == "CheckConstraint"}
        assert checks == wanted
        assert {one["name"] for one in inspector.get_indexes(table.name)} >= {one.name for one in table.indexes}


def test_the_tables_of_the_library_and_a_users_own_alembic_that_are_there_before_are_left_alone(
    empty_database_url: str,
) -> None:
    engine = create_engine(empty_database_url, poolclass=NullPool)
    with engine.begin() as connection:
        lease.schema.create_tables(connection)
        connection.execute(text("INSERT INTO lease (name, token) VALUES ('mine', 7)"))
        connection.execute(text("CREATE TABLE alembic_version (version_num text)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('theirs')"))
    migrations.upgrade(empty_database_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name, token FROM lease")).all() == [("mine", 7)]
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "theirs"


def test_alembic_logs_nothing(empty_database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    level = logging.getLogger("alembic").level
    with caplog.at_level(logging.DEBUG):
        migrations.upgrade(empty_database_url)
        migrations.sql("postgresql")
    assert [record for record in caplog.records if record.name.startswith("alembic")] == []
    assert logging.getLogger("alembic").level == level


@pytest.mark.usefixtures("processes")
@pytest.mark.sampled(1)
def test_processes_that_upgrade_an_empty_database_at_once_all_come_up(empty_database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    ready, go, answers = context.Semaphore(0), context.Event(), context.Queue()
    processes = [context.Process(target=upgraded, args=(empty_database_url, ready, go, answers)) for _ in range(2)]
    for process in processes:
        process.start()
    for _ in processes:
        assert ready.acquire(timeout=LIMIT)
    go.set()
    told = [answers.get(timeout=LIMIT) for _ in processes]
    for process in processes:
        process.join(LIMIT)
    assert sorted(told, key=str) == sorted([REVISIONS, ()], key=str)
    migrations.check(empty_database_url)


def test_a_migration_that_breaks_off_leaves_nothing(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(connection: Connection, _schema: str | None) -> None:
        connection.execute(text("CREATE TABLE half_done (x int)"))
        raise RuntimeError("in the middle")

    with monkeypatch.context() as patched:
        patched.setattr(lease.schema, "create_tables", broken)
        with pytest.raises(RuntimeError):
            migrations.upgrade(empty_database_url)
    assert migrations.current(empty_database_url) is None
    with create_engine(empty_database_url, poolclass=NullPool).connect() as connection:
        assert inspect(connection).get_table_names() == []
    assert migrations.upgrade(empty_database_url) == REVISIONS


def test_no_tables_are_refused_with_the_remedy(empty_database_url: str) -> None:
    with pytest.raises(TablesMissing, match="does not have leased's tables; create them with `leased db upgrade`"):
        migrations.check(empty_database_url)


def test_reading_makes_no_file(empty_sqlite_url: str) -> None:
    path = Path(str(make_url(empty_sqlite_url).database))
    assert migrations.current(empty_sqlite_url) is None
    with pytest.raises(TablesMissing):
        migrations.check(empty_sqlite_url)
    assert not path.exists()


def test_a_new_file_is_its_owners_alone(empty_sqlite_url: str) -> None:
    path = Path(str(make_url(empty_sqlite_url).database))
    migrations.upgrade(empty_sqlite_url)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_newer_schema_is_refused_with_the_remedy_and_left_alone(database_url: str) -> None:
    at_revision(database_url, "9999")
    for refused in (migrations.check, migrations.upgrade):
        with pytest.raises(SchemaTooNew, match=r"revision 9999.*install that version of leased, or a later one"):
            refused(database_url)
    assert migrations.current(database_url) == "9999"


def test_an_older_schema_is_refused_with_the_remedy(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.store.migrations.state.REVISIONS", (*REVISIONS, "0999"))
    with pytest.raises(SchemaTooOld, match=rf"revision {HEAD}; 0999 is needed.*`leased db upgrade`"):
        migrations.check(database_url)


def test_a_connection_is_checked_too(database_url: str) -> None:
    with Store(database_url) as store:
        store.do(migrations.check)
        at_revision(database_url, "9999")
        with pytest.raises(SchemaNotReady):
            store.do(migrations.check)


def test_the_revisions_that_are_known_are_those_in_the_folder() -> None:
    script = ScriptDirectory(str(FOLDER))
    assert tuple(reversed([one.revision for one in script.walk_revisions()])) == REVISIONS


def test_the_script_for_postgresql_makes_the_same_tables(empty_postgres_url: str, postgres_url: str) -> None:
    import psycopg  # noqa: PLC0415

    with psycopg.connect(plain(empty_postgres_url)) as connection:
        connection.execute(migrations.sql("postgresql").encode())
    assert migrations.current(empty_postgres_url) == HEAD
    described = (
        """SELECT table_name, column_name, data_type, is_nullable, collation_name FROM information_schema.columns
           WHERE table_schema = 'public' ORDER BY 1, 2""",
        "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname",
        """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
           ORDER BY 1""",
        "SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
        "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
    )
    for question in described:
        assert query(empty_postgres_url, question) == query(postgres_url, question)


def test_the_script_for_sqlite_makes_the_same_tables(sqlite_url: str, tmp_path: Path) -> None:
    def described(url: str) -> list[tuple[str, list[str]]]:
        with sqlite3.connect(str(make_url(url).database)) as opened:
            rows = opened.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
        opened.close()
        return [(name, parts_of(sql)) for name, sql in rows]

    def parts_of(sql: str) -> list[str]:
        """Return its parts in order: a column that was added later stands after the constraints."""
        parts = " ".join(sql.replace("IF NOT EXISTS ", "").replace(")", "").split()).split(",")
        return sorted(part.strip() for part in parts)

    by_script = f"sqlite:///{tmp_path / 'script.db'}"
    with sqlite3.connect(tmp_path / "script.db") as opened:
        opened.executescript(migrations.sql("sqlite"))
    opened.close()
    assert migrations.current(by_script) == HEAD
    assert described(by_script) == described(sqlite_url)


def test_a_script_from_the_newest_revision_on_does_nothing() -> None:
    assert "CREATE" not in migrations.sql("postgresql", since=HEAD)


def test_a_wrong_password_and_an_unreachable_server_are_one_sentence_without_password(postgres_server: Server) -> None:
    right = make_url(postgres_server.url)
    wrong = right.set(password="s3cret-wrong").render_as_string(hide_password=False)
    nowhere = right.set(port=1, password="s3cret-wrong").render_as_string(hide_password=False)
    for url in (wrong, nowhere):
        for refused in (migrations.upgrade, migrations.current, migrations.check):
            with pytest.raises(StoreUnavailable) as told:
                refused(url)
            assert "s3cret" not in str(told.value)
            assert "\n" not in str(told.value)
            assert "cannot be used" in str(told.value)


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        migrations.upgrade(f"sqlite:///{tmp_path / 'missing' / 'leased.db'}")


@pytest.mark.skipif(os.environ.get("LEASED_TEST_POSTGRES", "").startswith("postgres"), reason="makes a role")
def test_a_user_without_the_right_to_make_tables_is_told_who_can(empty_postgres_url: str) -> None:
    role = f"reader_{os.getpid()}"
    query(empty_postgres_url, f"CREATE ROLE {role} LOGIN PASSWORD 's3cret'")
    try:
        url = make_url(empty_postgres_url).set(username=role, password="s3cret").render_as_string(hide_password=False)
        with pytest.raises(MayNotMigrate, match=f"the user '{role}' cannot create tables") as told:
            migrations.upgrade(url)
        assert "leased db sql" in str(told.value)
        assert "s3cret" not in str(told.value)
    finally:
        query(empty_postgres_url, f"DROP ROLE {role}")


def test_a_state_that_no_code_knows_is_refused_by_the_database(database_url: str) -> None:
    with Store(database_url) as store:
        store.sync(a_schedule())
        store.do(lambda connection: connection.execute(update(schedule_table).values(stretch_reason=None)))
        with pytest.raises(Exception, match="schedule_stretch"):
            store.do(lambda connection: connection.execute(update(schedule_table).values(stretch_reason="paused")))
