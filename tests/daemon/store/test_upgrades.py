"""A database of an older version is brought up to date with runs at work in it, and beside its replica.

What the old version had in it, and the statements by which it goes on, are its own: see
`tests.data.upgrades`.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, MetaData, make_url, select, update
from sqlalchemy.exc import DBAPIError

from daemon.states import UNFINISHED
from daemon.store import migrations
from daemon.store.migrations import state
from daemon.store.migrations.state import REVISIONS, VERSION_TABLE, TablesInUse
from daemon.store.tables import run, schedule
from daemon.store.views.history import read_run
from daemon.store.views.output import OutputReader
from lease.database.dialects import clock, later
from lease.schema import lease as leases
from tests.support.postgres import plain
from tests.support.replicas import Story
from tests.support.starter import Starter
from tests.support.store import Store
from tests.support.waiting import LIMIT

FOLDER = Path(__file__).parents[2] / "data" / "upgrades"
OLDER = sorted(path.parent.name for path in FOLDER.glob("*/scene.py"))
REFUSED = {
    "0002": {
        "claim": "so it starts no more runs",
        "sync": "so it may not change the definitions there",
        "sync that only retires": "so it may not change the definitions there",
        "sync that only adds": "so it may not change the definitions there",
        "sync that only changes": "so it may not change the definitions there",
    },
    "0008": {},
}
"""What the old version may not do beside this one, and a part of the sentence that says so."""

ENDS_CANCELLED = {"retired"}
"""Schedules that are in no file any more, so that what waits of them ends."""


@pytest.fixture(params=OLDER)
def older(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def old_url(older: str, empty_database_url: str) -> str:
    """A database as the old version left it."""
    url = make_url(empty_database_url)
    dump = (FOLDER / older / f"{url.get_backend_name()}.sql").read_text()
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(url.database))) as opened:
            opened.executescript(dump)
    else:
        with psycopg.connect(plain(empty_database_url)) as connection:
            connection.execute(dump.encode())
    return empty_database_url


@pytest.fixture(scope="module")
def starter(processes: None) -> Iterator[Starter]:
    del processes
    made = Starter()
    yield made
    made.end()


@pytest.fixture
def story(tmp_path: Path, old_url: str, starter: Starter) -> Iterator[Story]:
    with Story(tmp_path, old_url, starter) as told:
        yield told


def everything(url: str) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of all tables, as they are."""
    with Store(url) as store, store.begin() as connection:
        tables = MetaData()
        tables.reflect(connection)
        return {
            name: [dict(row._mapping) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for name, table in tables.tables.items()
            if name != VERSION_TABLE
        }


def runs_of(url: str) -> dict[str, list[Any]]:
    with Store(url) as store:
        found: dict[str, list[Any]] = {}
        for row in store.runs():
            found.setdefault(row.schedule, []).append(row)
        return found


def made_by(older: str, url: str) -> list[dict[str, Any]]:
    """Return what the old version does, and the statements by which it does that."""
    made: list[dict[str, Any]] = json.loads((FOLDER / older / f"{make_url(url).get_backend_name()}.json").read_text())
    return made


def go_on_with_this_version(story: Story, older: str) -> None:
    assert story.start(str(FOLDER / older / "schedules.toml"), "--until-idle").wait() == 0


def test_nothing_is_lost_or_changed_by_the_migration(older: str, old_url: str) -> None:
    before = everything(old_url)
    assert migrations.upgrade(old_url) == REVISIONS[REVISIONS.index(older) + 1 :]
    after = everything(old_url)
    for table, rows in before.items():
        assert [{name: row[name] for name in rows[0]} for row in after[table]] == rows if rows else not after[table]


@pytest.mark.usefixtures("processes")
@pytest.mark.sampled(1)
def test_runs_that_wait_are_retried_or_at_work_go_on_with_this_version(older: str, old_url: str, story: Story) -> None:
    migrations.upgrade(old_url)
    before = runs_of(old_url)
    go_on_with_this_version(story, older)
    after = runs_of(old_url)
    for name, runs in before.items():
        same = [row for row in after[name] if row.id in {run.id for run in runs}]
        assert [(row.id, row.state) for row in same] == [(run.id, end_of(run)) for run in runs], name
    assert_each_job_succeeded_once(old_url)
    assert story.leased("audit").wait() == 0


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("older", ["0008"], indirect=True)
def test_what_is_of_an_earlier_generation_is_adopted_or_ends_and_what_was_counted_stays_so(
    older: str, old_url: str, story: Story
) -> None:
    migrations.upgrade(old_url)
    counted = [row for row in runs_of(old_url)["missed"] if row._mapping["count"] > 1]
    assert counted
    go_on_with_this_version(story, older)
    after = runs_of(old_url)
    (redefined,), (retired,) = after["redefined"][:1], after["retired"]
    assert redefined.adopted_from is not None
    assert redefined.adopted_from != redefined.digest
    assert (retired.state, retired.reason) == ("cancelled", "retired")
    assert {row.adopted_from for row in after["waiting"]} == {None}
    spans = {(row.id, row.scheduled_for, row.last_scheduled_for, row._mapping["count"]) for row in after["missed"]}
    assert {(row.id, row.scheduled_for, row.last_scheduled_for, row._mapping["count"]) for row in counted} <= spans


def test_an_old_replica_beside_ends_its_work_and_is_refused_what_it_cannot_do_right(older: str, old_url: str) -> None:
    migrations.upgrade(old_url)
    refused = {}
    with Store(old_url) as store:
        for made in made_by(older, old_url):
            sentence = replayed(store, made["statements"], keep=made["does"] not in NOT_KEPT)
            if sentence:
                refused[made["does"]] = sentence
        assert refused.keys() == REFUSED[older].keys()
        for does, part in REFUSED[older].items():
            assert part in refused[does]
            assert "restart it with the newer version" in refused[does]
        states = {name: [row.state for row in rows] for name, rows in runs_of(old_url).items()}
    assert states["at-work"] == ["succeeded"]
    assert states["stays-at-work"] == ["running"]
    assert states["to-be-retried"] == ["pending"]
    assert states["queued"] == ["succeeded", "pending"]


@pytest.mark.parametrize("older", ["0002"], indirect=True)
def test_what_an_old_replica_plans_beside_gets_the_digest_of_its_definition(older: str, old_url: str) -> None:
    migrations.upgrade(old_url)
    (made,) = (made for made in made_by(older, old_url) if made["does"] == "trigger")
    with Store(old_url) as store:
        named = update(schedule).where(schedule.c.name == "waiting").values(run_digest="as it is now")
        store.do(lambda connection: connection.execute(named))
        assert replayed(store, made["statements"], keep=True) is None
        assert [row.digest for row in store.runs(run.c.schedule == "waiting")] == [None, "as it is now"]


def test_what_jobs_printed_under_an_old_replica_is_read_before_and_beside(older: str, old_url: str) -> None:
    migrations.upgrade(old_url)
    with Store(old_url) as store:
        for made in made_by(older, old_url):
            replayed(store, made["statements"], keep=made["does"] not in NOT_KEPT)
        for name, text in (("retrying", "half of it\n"), ("to-be-retried", "some of it\n")):
            (row,) = store.runs(run.c.schedule == name)
            assert [part.text for part in store.do(OutputReader(row.id).read).parts] == [text]
            assert [job.log_tail for job in store.do(read_run, row.id).jobs if job.state == "failed"] == [text]


@pytest.mark.usefixtures("processes")
@pytest.mark.sampled(1)
def test_what_an_old_replica_beside_has_done_and_left_goes_on_with_this_version(
    older: str, old_url: str, story: Story
) -> None:
    migrations.upgrade(old_url)
    with Store(old_url) as store:
        for made in made_by(older, old_url):
            replayed(store, made["statements"], keep=made["does"] not in NOT_KEPT - {"trigger"})
        store.do(go_stale)  # the old replica has died
    left = {row.id: end_of(row) for rows in runs_of(old_url).values() for row in rows}
    go_on_with_this_version(story, older)
    after = {row.id: row.state for rows in runs_of(old_url).values() for row in rows}
    assert {number: after[number] for number in left} == left  # what is due since is another matter
    assert_each_job_succeeded_once(old_url)
    assert story.leased("audit").wait() == 0


@pytest.mark.sampled(2)
def test_a_migration_waits_for_a_table_in_use_briefly_and_again(
    older: str, empty_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(plain(empty_postgres_url)) as connection:
        connection.execute((FOLDER / older / "postgresql.sql").read_bytes())
    with psycopg.connect(plain(empty_postgres_url)) as user:
        user.execute("SELECT count(*) FROM public.run")
        monkeypatch.setattr(state, "TABLE_WAIT", 0.05)
        monkeypatch.setattr(state, "LOCK_TIMEOUT", 0.0)
        with pytest.raises(TablesInUse, match="is in use by another transaction, and nothing was migrated; wait until"):
            migrations.upgrade(empty_postgres_url)
        assert migrations.current(empty_postgres_url) == older
        monkeypatch.setattr(state, "LOCK_TIMEOUT", LIMIT)
        monkeypatch.setattr(state, "sleep", lambda _: user.rollback())
        assert migrations.upgrade(empty_postgres_url) == REVISIONS[REVISIONS.index(older) + 1 :]


NOT_KEPT = {
    "claim",
    "sync",
    "sync that only retires",
    "sync that only adds",
    "sync that only changes",
    "sync that changes nothing",
    "trigger",
}
"""What the scene did not keep, so that each was made on what the others found."""


def go_stale(connection: Connection) -> None:
    held = update(leases).where(leases.c.holder.is_not(None))
    connection.execute(held.values(expires_at=later(clock(), -1.0)))


def end_of(row: Any) -> str:
    """Return how a run ends, which is over already, waits or is at work."""
    if row.state not in UNFINISHED:
        return str(row.state)
    return "cancelled" if row.cancelled_at is not None or row.schedule in ENDS_CANCELLED else "succeeded"


def assert_each_job_succeeded_once(url: str) -> None:
    with Store(url) as store:
        done = [(row.run_id, row.job) for row in store.job_runs() if row.state == "succeeded"]
    assert len(done) == len(set(done))


def replayed(store: Store, made: Sequence[dict[str, Any]], *, keep: bool) -> str | None:
    """Make the statements in one transaction; return the sentence by which the database refused."""
    try:
        with suppress(Undone), store.begin() as connection:
            for one in made:
                assert executed(connection, one) == one["rows"], one["sql"]
            if not keep:
                raise Undone
    except DBAPIError as error:
        return str(error.orig)
    return None


class Undone(Exception):
    """The transaction is not kept."""


def executed(connection: Connection, one: dict[str, Any]) -> int:
    cursor = connection.connection.cursor()
    execute = cursor.executemany if one["many"] else cursor.execute
    try:
        execute(one["sql"], read(one["parameters"]))
    except Exception as error:
        base = connection.dialect.loaded_dbapi.Error
        raise DBAPIError.instance(one["sql"], None, error, base, dialect=connection.dialect) from error
    return int(cursor.rowcount)


def read(value: Any) -> Any:
    match value:
        case {"instant": str(instant)}:
            return datetime.fromisoformat(instant)
        case dict():
            return {name: read(one) for name, one in value.items()}
        case list():
            return [read(one) for one in value]
        case _:
            return value
