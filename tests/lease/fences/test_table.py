"""What becomes of a fence, by the isolation level and by what happened before it: a table, tried over each kind of
connection (rule 11).
"""

import sqlite3
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path

import pytest

from lease import Grant, LeaseError, LeaseLost
from lease.database.driver_errors import sqlstate
from lease.sync import LeaseClient
from tests.lease.fences import connections
from tests.lease.stores import SELDOM, Tables

pytestmark = pytest.mark.anyio

LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")

#                                   READ COMMITTED  REPEATABLE READ  SERIALIZABLE
TABLE = {
    "nothing":                     ("kept",         "kept",          "kept"),
    "its own renewal":             ("kept",         "kept",          "kept"),
    "its release":                 ("lost",         "lost",          "lost"),
    "its theft":                   ("lost",         "lost",          "lost"),
    "a savepoint":                 ("refused",      "refused",       "refused"),
    "a savepoint sent as text":    ("refused",      "refused",       "refused"),
    "a conflict of the program's": ("kept",         "kept",          "failed"),
    "READ ONLY":                   ("refused",      "refused",       "refused"),
    "nothing, behind a pooler":    ("kept",         "kept",          "kept"),
    "its release, behind a pooler":("lost",         "lost",          "lost"),
}  # fmt: skip
"""What became of a row that the transaction wrote after its fence, and how the fence told it; "failed": as PostgreSQL
fails a transaction that is to be tried again.
"""

CELLS = [(before, level, end) for before, row in TABLE.items() for level, end in zip(LEVELS, row, strict=True)]
EACH_CELL = [
    pytest.param(
        cell,
        kind,
        id=f"{' '.join(cell)}-{kind}",
        marks=() if column == 0 or (row + column) % 8 == 0 else pytest.mark.proof,
    )
    for row, cell in enumerate(CELLS)
    for column, kind in enumerate(connections.POSTGRESQL)
]
"""Each cell is tried over the first kind of connection, and over some of the others, by turns; all is a proof."""
ON_POSTGRESQL = ("pooler", "text", "conflict", "READ ONLY")
SQLITE = {before: row[-1] for before, row in TABLE.items() if not any(word in before for word in ON_POSTGRESQL)}
"""All is serializable there."""


@pytest.mark.parametrize(("cell", "kind"), EACH_CELL)
async def test_on_postgresql(
    request: pytest.FixtureRequest, postgres_tables: Tables, kind: str, cell: tuple[str, str, str]
) -> None:
    before, level, end = cell
    url = request.getfixturevalue("pooled_url") if "pooler" in before else postgres_tables.url
    opened = connections.POSTGRESQL[kind](url, level)
    assert await outcome(postgres_tables, opened, before) == end


@pytest.mark.parametrize("kind", connections.POSTGRESQL)
async def test_on_postgresql_in_autocommit(postgres_tables: Tables, kind: str) -> None:
    opened = connections.POSTGRESQL[kind](postgres_tables.url, connections.AUTOCOMMIT)
    assert await outcome(postgres_tables, opened, "nothing") == "refused"


@pytest.mark.parametrize("kind", connections.SQLITE)
@pytest.mark.parametrize(("before", "end"), SQLITE.items())
async def test_on_sqlite(sqlite_url: str, kind: str, before: str, end: str) -> None:
    with Tables(sqlite_url) as tables:
        assert await outcome(tables, connections.SQLITE[kind](sqlite_url, None), before) == end


@pytest.mark.parametrize("kind", connections.SQLITE)
async def test_on_sqlite_in_autocommit(sqlite_url: str, kind: str) -> None:
    with Tables(sqlite_url) as tables:
        opened = connections.SQLITE[kind](sqlite_url, connections.AUTOCOMMIT)
        assert await outcome(tables, opened, "nothing") == "refused"


@pytest.mark.parametrize("kind", connections.SQLITE)
async def test_another_file_is_refused_by_its_name(sqlite_url: str, tmp_path: Path, kind: str) -> None:
    """Also a copy, in which the lease is held just as well."""
    with LeaseClient(sqlite_url, timing=SELDOM) as client, client.hold("a") as held:
        with (
            closing(sqlite3.connect(tmp_path / "leased.db")) as home,
            closing(sqlite3.connect(tmp_path / "other.db")) as to,
        ):
            home.backup(to)
        async with connections.SQLITE[kind](f"sqlite:///{tmp_path / 'other.db'}", None) as caller:
            with pytest.raises(LeaseError, match=r"this connection is to .*other\.db") as refused:
                await connections.settled(held.fence(caller.connection))
    assert not isinstance(refused.value, LeaseLost)


async def outcome(tables: Tables, opened: AbstractAsyncContextManager[connections.Caller], before: str) -> str:
    tables.run(lambda connection: connection.exec_driver_sql("CREATE TABLE written (what text)"))
    grant = tables.one("a")
    tables.make_stale("a")
    told = "kept"
    async with opened as caller:
        if tables.postgresql:
            await caller.execute("SELECT FROM lease")  # from here on the snapshot is older than what happens next
        match before.partition(",")[0]:
            case "its own renewal":
                tables.renew()
            case "its release":
                tables.release(grant)
            case "its theft":
                tables.one("a", holder="ben")
            case "a savepoint":
                await caller.savepoint()
            case "a savepoint sent as text":
                await caller.execute("SAVEPOINT before")
            case "a conflict of the program's":
                await caller.execute("SELECT FROM written")
                with tables.engine.connect().execution_options(isolation_level="SERIALIZABLE") as other, other.begin():
                    other.exec_driver_sql("SELECT FROM written")
                    other.exec_driver_sql("INSERT INTO written VALUES ('by another')")
                    await caller.execute("INSERT INTO written VALUES ('before the fence')")
            case "READ ONLY":
                await caller.execute("SET TRANSACTION READ ONLY")
            case _:
                assert before.startswith("nothing")
        try:
            await caller.fence(grant)
            await caller.execute("INSERT INTO written VALUES ('by the caller')")
            await caller.commit()
        except LeaseLost:
            told = "lost"
        except LeaseError:
            told = "refused"
        except Exception as error:  # noqa: BLE001 - each driver has its own
            told = "failed" if sqlstate(error) == "40001" else repr(error)
    assert tables.value("SELECT count(*) FROM written WHERE what = 'by the caller'") == (1 if told == "kept" else 0)
    return told


@pytest.mark.parametrize("kind", connections.SQLITE)
async def test_a_temporary_table_of_that_name_proves_nothing(kind: str, sqlite_url: str) -> None:
    """One that a program made for itself comes first wherever a name has no schema."""
    with Tables(sqlite_url) as tables:
        live, zombie = tables.one("a"), Grant("a", 7, "zombie")
    async with connections.SQLITE[kind](sqlite_url, None) as caller:
        await caller.execute("CREATE TEMP TABLE lease AS SELECT 'a' AS name, 7 AS token, 'zombie' AS holder")
        await caller.fence(live)
        with pytest.raises(LeaseLost):
            await caller.fence(zombie)
