"""A run that is requested in a program's own transaction: it exists if and only if that commits (rule 23)."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, func, make_url, select, text

from daemon import Schedules
from daemon.errors import NotFound, NotRecordable
from daemon.operations.trigger import Requested, UnfitParameter
from daemon.store.tables import act, run, schedule
from lease.errors import LeaseError, SchemaMissing
from tests.daemon.operations.callers import AUTOCOMMIT, POSTGRESQL, SQLITE, Caller, Opening, settled
from tests.support.completion import finish_run
from tests.support.store import BLOCKED, Store, a_schedule
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.anyio
SCHEDULES = Schedules("shop")
LATER = datetime(2099, 1, 1, tzinfo=UTC)
KINDS = [("postgres", kind, opening) for kind, opening in POSTGRESQL.items()] + [
    ("sqlite", kind, opening) for kind, opening in SQLITE.items()
]
each_kind = pytest.mark.parametrize(
    ("opening", "database_url"),
    [pytest.param(opening, database, id=f"{database}-{kind}") for database, kind, opening in KINDS],
    indirect=["database_url"],
)
DAILY = a_schedule("daily", params={"customer": 0, "note": "a % of it"})


async def request(caller: Caller, **given: Any) -> Requested:
    asked = SCHEDULES.trigger("daily", {"customer": 7}, connection=caller.connection, requested_by="ada", **given)
    requested: Requested = await settled(asked)
    return requested


def what_is_there(url: str) -> tuple[int, int]:
    """Return how many runs there are, and how many acts."""
    with Store(url) as store:
        return len(store.runs()), len(store.rows(select(act.c.id)))


def prepare(url: str, one: Any = DAILY) -> None:
    with Store(url) as store:
        store.sync(one)


@each_kind
async def test_it_exists_if_and_only_if_the_transaction_commits(opening: Opening, database_url: str) -> None:
    prepare(database_url)
    async with opening(database_url, None) as caller:
        await request(caller, key="lost")  # and closed without a commit
    assert what_is_there(database_url) == (0, 0)
    async with opening(database_url, None) as caller:
        requested = await request(caller, key="lost", why="because")
        if not database_url.startswith("sqlite"):
            assert what_is_there(database_url) == (0, 0)
        await caller.commit()
    assert not requested.already
    with Store(database_url) as store:
        row = store.run(requested.run_id)
        assert (row.params, row.requested_by, row.requested_why) == (
            '{"customer": 7, "note": "a % of it"}',
            "ada",
            "because",
        )
        assert (row.state, row.available_at, row.place_at) == ("pending", None, row.created_at)
        store.plan(DAILY)
        assert [one.run_id for one in store.claim("daily")] == [requested.run_id]
    assert what_is_there(database_url) == (1, 1)


@pytest.mark.parametrize("kind", SQLITE)
async def test_it_is_not_written_to_temporary_tables_of_the_same_names(kind: str, sqlite_url: str) -> None:
    prepare(sqlite_url)
    async with SQLITE[kind](sqlite_url, None) as caller:
        for table in ("run", "schedule", "act", "request_key"):
            await caller.execute(f"CREATE TEMP TABLE {table} (id INTEGER)")
        await request(caller, key="once")
        await caller.commit()
    assert what_is_there(sqlite_url) == (1, 1)


@each_kind
@pytest.mark.sampled(3)
async def test_after_a_lost_reply_the_same_key_is_the_same_run(opening: Opening, database_url: str) -> None:
    prepare(database_url)
    async with opening(database_url, None) as caller:
        first = await request(caller, key="order 7")
        await caller.commit()
    async with opening(database_url, None) as caller:
        assert await request(caller, key="order 7") == Requested(first.run_id, already=True)
        await caller.commit()
    assert what_is_there(database_url) == (1, 1)


@each_kind
@pytest.mark.sampled(3)
async def test_what_commits_by_itself_gets_a_transaction_of_its_own(opening: Opening, database_url: str) -> None:
    prepare(database_url)
    async with opening(database_url, AUTOCOMMIT) as caller:
        requested = await request(caller, key="k", at=LATER)
        assert what_is_there(database_url) == (1, 1)
        with pytest.raises(NotFound, match='has no schedule "dayly"; did you mean "daily"'):
            await settled(SCHEDULES.trigger("dayly", connection=caller.connection))
        assert (await request(caller, key="k")).already, "the connection can be used again"
    with Store(database_url) as store:
        assert store.run(requested.run_id).place_at == LATER


@each_kind
@pytest.mark.sampled(3)
async def test_a_refused_request_writes_nothing(opening: Opening, database_url: str) -> None:
    prepare(database_url)
    async with opening(database_url, None) as caller:
        with pytest.raises(UnfitParameter, match='did you mean "customer"'):
            await settled(SCHEDULES.trigger("daily", {"custmer": 1}, connection=caller.connection, key="k"))
        assert not (await request(caller, key="k")).already
        await caller.commit()
    assert what_is_there(database_url) == (1, 1)


async def test_with_overlap_allow_its_lease_has_its_number(database_url: str) -> None:
    prepare(database_url, a_schedule("daily", params={"customer": 0}, overlap="allow"))
    async with (
        SQLITE["Connection"](database_url, None)
        if "sqlite" in database_url
        else POSTGRESQL["Connection on psycopg"](database_url, None) as caller
    ):
        requested = await request(caller)
        await caller.commit()
    with Store(database_url) as store:
        assert store.run(requested.run_id).lease_name == f"run/shop/daily/{requested.run_id}"


async def test_in_a_transaction_that_stays_open_it_holds_up_nobody(postgres_url: str) -> None:
    """Planning, claims, ends and further requests go on; when it commits at last, the run takes its place."""
    prepare(postgres_url)
    async with POSTGRESQL["Connection on psycopg"](postgres_url, None) as caller:
        requested = await request(caller, key="slow")
        with Store(f"{postgres_url}{'&' if '?' in postgres_url else '?'}options=-c%20lock_timeout%3D1s") as store:
            store.shift(schedule, anchor=-3_601.0, planned_until=-10.0, next_due=-1.0)
            assert store.planned(DAILY) == {"pending": 1}
            (claimed,) = store.claim("daily")
            async with POSTGRESQL["psycopg.Connection"](postgres_url, None) as other:
                await request(other)
                await other.commit()
            store.plan(DAILY)
            await caller.commit()
            store.plan(DAILY)
            assert store.run(requested.run_id).available_at is None, "it waits behind the run at work"
            store.do(finish_run, claimed, "succeeded", None)
            assert [one.run_id for one in store.claim("daily")] == [requested.run_id], "the first that was requested"


async def test_it_sets_nothing_on_the_connection(postgres_url: str) -> None:
    prepare(postgres_url)
    settings = text("SELECT name, setting FROM pg_settings ORDER BY name")
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        before = connection.execute(settings).all()
        SCHEDULES.trigger("daily", connection=connection)
        assert connection.execute(settings).all() == before
        locks = text("SELECT DISTINCT mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'tuple'")
        assert connection.execute(locks).all() == []
    engine.dispose()


async def test_who_requests_the_same_key_meanwhile_waits_for_the_end_and_gets_one_run(postgres_url: str) -> None:
    prepare(postgres_url)
    told: list[Requested] = []

    def second() -> None:
        engine = create_engine(postgres_url)
        with engine.begin() as connection:
            told.append(SCHEDULES.trigger("daily", connection=connection, key="k"))
        engine.dispose()

    async with POSTGRESQL["psycopg.Connection"](postgres_url, None) as caller:
        first = await request(caller, key="k")
        thread = Thread(target=second)
        thread.start()
        with Store(postgres_url) as store:
            wait_until(lambda: store.do(lambda connection: connection.scalar(text(BLOCKED))), "the second waits")
        await caller.commit()
    thread.join(LIMIT)
    assert told == [Requested(first.run_id, already=True)]


async def test_the_tables_may_be_elsewhere(postgres_url: str) -> None:
    prepare(postgres_url)
    with Store(postgres_url) as store:
        store.do(lambda c: c.execute(text("CREATE SCHEMA ops")))
        for table in ("schedule", "run", "act", "trigger_key"):
            store.do(Connection.execute, text(f"ALTER TABLE {table} SET SCHEMA ops"))
    async with AsyncExitStack() as stack:
        for kind in ("AsyncConnection on asyncpg", "psycopg.AsyncConnection", "asyncpg.Connection", "Django"):
            caller = await stack.enter_async_context(POSTGRESQL[kind](postgres_url, None))
            assert not (await request(caller, schema="ops", key=kind)).already
            await caller.commit()
        caller = await stack.enter_async_context(POSTGRESQL["psycopg.Connection"](postgres_url, None))
        with pytest.raises(SchemaMissing):
            await request(caller)
    engine = create_engine(postgres_url, execution_options={"schema_translate_map": {None: "ops"}})
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(run)).scalar_one() == 4
    engine.dispose()


async def test_its_role_needs_no_other_rights_than_the_documented_ones(postgres_url: str) -> None:
    prepare(postgres_url)
    role = "leased_role_that_requests"
    with Store(postgres_url) as store:
        store.do(Connection.execute, text(f"CREATE ROLE {role} LOGIN PASSWORD 'p4ssw0rd'"))
        try:
            store.do(Connection.execute, text(f"GRANT SELECT ON schedule TO {role}"))
            store.do(Connection.execute, text(f"GRANT SELECT, INSERT, UPDATE ON run, trigger_key TO {role}"))
            store.do(Connection.execute, text(f"GRANT INSERT ON act TO {role}"))
            url = make_url(postgres_url).set(username=role, password="p4ssw0rd").render_as_string(hide_password=False)
            for kind, opening in POSTGRESQL.items():
                async with opening(url, None) as caller:
                    await request(caller, key=kind, why="because")
                    await caller.commit()
        finally:
            store.do(Connection.execute, text(f"DROP OWNED BY {role}"))
            store.do(Connection.execute, text(f"DROP ROLE {role}"))
    assert what_is_there(postgres_url) == (len(POSTGRESQL), len(POSTGRESQL))


async def test_what_is_no_connection_or_cannot_be_kept_is_one_sentence() -> None:
    with pytest.raises(LeaseError, match=r"trigger takes a connection or session of SQLAlchemy, .*, not str"):
        SCHEDULES.trigger("daily", connection="postgresql://")
    with pytest.raises(NotRecordable, match="the key is empty"):
        SCHEDULES.trigger("daily", connection=None, key="")
