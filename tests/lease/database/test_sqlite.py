"""SQLite: its file (one on a network file system is reported), one writer at a time, in turn, how long its connections wait,
and what is waited for before they are closed.
"""

import asyncio
import gc
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

import lease.database.dialects
from lease import Grant, LeaseError, LeaseLost, LeaseNotAcquired, LeaseTiming, StoreUnavailable, events, fence
from lease.database import file_connection, file_systems
from lease.database.backend import ConnectionSettings
from lease.database.connections import connected
from lease.database.file_connection import FileConnection
from lease.database.file_systems import network_file_system
from lease.database.opening import open_database
from lease.database.wires import WireFailed
from lease.database.writer_gate import WriterGate
from lease.statements import granting, reading
from lease.sync import LeaseClient
from tests.lease.stores import SHORT, STEADY, Recorder, Tables, in_thread, opened
from tests.support.binaries import readable_temporary_folder
from tests.support.forking import in_forked_child
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture
def tables(sqlite_url: str) -> Iterator[Tables]:
    with Tables(sqlite_url) as tables:
        yield tables


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = create_engine(sqlite_url, poolclass=NullPool)
    yield engine
    engine.dispose()


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def modes_in(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_a_new_file_and_those_beside_it_are_their_owners_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with LeaseClient(f"sqlite:///{tmp_path / 'leased.db'}") as client, client.hold("a"):
            modes = modes_in(tmp_path)
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("leased.db", "leased.db-wal", "leased.db-shm", "leased.db-turnstile"), 0o600)


def test_a_new_file_gets_no_rights_that_the_umask_takes(tmp_path: Path) -> None:
    before = os.umask(0o277)
    try:
        with suppress(StoreUnavailable), LeaseClient(f"sqlite:///{tmp_path / 'leased.db'}"):
            pass
    finally:
        os.umask(before)
    assert modes_in(tmp_path)["leased.db"] == 0o400


def test_a_file_that_is_there_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "leased.db").touch()
    (tmp_path / "leased.db").chmod(0o660)
    with LeaseClient(f"sqlite:///{tmp_path / 'leased.db'}") as client, client.hold("a"):
        assert set(modes_in(tmp_path).values()) == {0o660}


def test_a_file_that_another_was_put_in_the_place_of_is_left(sqlite_url: str, tmp_path: Path, told: Recorder) -> None:
    """As by a restore while programs run: in the file that is there now, anybody may have the lease."""
    path, copy = path_of(sqlite_url), tmp_path / "copy.db"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    with LeaseClient(sqlite_url, timing=STEADY, on_event=told) as client:
        held = client.acquire("a")
        told.wait_for(events.Renewed)
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        copy.replace(path)
        with LeaseClient(sqlite_url, timing=STEADY) as other:
            assert other.acquire("a").token == 1
            assert held.lost.wait(LIMIT)
            with pytest.raises(LeaseNotAcquired):
                client.acquire("a")


def test_of_a_file_that_was_removed_no_second_one_is_made(sqlite_url: str, told: Recorder) -> None:
    """SQLite would make an empty one, in which anybody may be granted what is held in the other."""
    path = path_of(sqlite_url)
    with LeaseClient(sqlite_url, timing=SHORT, on_event=told) as client:
        held = client.acquire("a")
        told.wait_for(events.Renewed)
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        for call in (lambda: client.acquire("b"), lambda: client.read("a")):
            with pytest.raises(StoreUnavailable, match="its file was removed while it was in use; put it back"):
                call()
        wait_until(lambda: any("its file was removed" in one.cause for one in told.of(events.AtRisk)), "it is said why")
        assert held.lost.wait(LIMIT)
        assert not path.exists()


def test_a_commit_is_on_disk_however_sqlite_was_built(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build may choose otherwise for WAL, and a token would be granted twice after a power failure."""

    class BuiltOtherwise(FileConnection):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.execute("PRAGMA synchronous = NORMAL")

    monkeypatch.setattr(file_connection, "FileConnection", BuiltOtherwise)
    with connected(make_url(sqlite_url), ConnectionSettings()) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_reader_of_a_file_that_a_client_has_made_holds_up_no_writer(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with (
        LeaseClient(f"sqlite:///{path}", timing=STEADY) as client,
        client.hold("a"),
        closing(sqlite3.connect(path, isolation_level=None)) as reader,
    ):
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM lease").fetchone() == (1,)
        with client.hold("b"):
            pass
        assert reader.execute("SELECT count(*) FROM lease").fetchone() == (1,)


@pytest.mark.usefixtures("processes")
def test_writers_that_write_back_to_back_starve_no_renewal(sqlite_url: str, tables: Tables) -> None:
    """Without the writer gate, 8 of 8 renewals starved."""
    told, timing = Recorder(), LeaseTiming(renew_every=0.3)
    tables.run(lambda connection: connection.execute(text("CREATE TABLE written (what text)")))
    writers = [subprocess.Popen([sys.executable, "-c", BUSY, str(path_of(sqlite_url))]) for _ in range(3)]
    try:
        count = "SELECT count(*) FROM written"
        wait_until(lambda: tables.value(count) > 10, "the writers write")
        written = tables.value(count)
        with LeaseClient(sqlite_url, timing=timing, on_event=told) as client, client.hold("a", wait="10s") as held:
            told.wait_for(events.Renewed, number=8)
            held.ensure()
        written = tables.value(count) - written
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    assert told.of(events.Lost) == []
    assert told.of(events.AtRisk) == []
    assert written > 10, "the writers did write meanwhile"


BUSY = """
import sqlite3, sys, time
from lease.database.writer_gate import WriterGate
path = sys.argv[1]
connection = sqlite3.connect(path, timeout=10, isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
while True:
    with WriterGate(path) as entrance:
        entrance.pass_within(10)
        connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO written VALUES ('x')")
    time.sleep(0.02)
    connection.execute("COMMIT")
"""


def test_a_transaction_that_had_read_before_others_wrote_is_told_to_begin_anew(tables: Tables, engine: Engine) -> None:
    """BUSY_SNAPSHOT means "begin again", not "lost"."""
    grant = tables.one("a")
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    with engine.connect() as connection:
        connection.execute(text("SELECT * FROM lease")).all()
        tables.renew()
        with pytest.raises(LeaseError, match="start it again, and fence first") as refused:
            fence(connection, grant)
    assert not isinstance(refused.value, LeaseLost)
    with engine.begin() as connection:
        fence(connection, grant)


def test_a_fence_waits_for_its_turn_and_says_so_when_it_does_not_come(
    tables: Tables, engine: Engine, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = tables.one("a")
    monkeypatch.setattr("lease.database.foreign._PATIENCE", 0.1)
    with WriterGate(str(path_of(sqlite_url))) as other:
        other.pass_within(1.0)
        with engine.begin() as connection, pytest.raises(StoreUnavailable, match="locked for writing"):
            fence(connection, grant)


@pytest.mark.usefixtures("passing_seconds")
def test_a_write_that_takes_too_long_puts_leases_at_risk_and_is_survived(sqlite_url: str, tables: Tables) -> None:
    told = Recorder()
    timing = LeaseTiming(ttl=30, renew_every=0.1, attempt_timeout=0.8)
    with LeaseClient(sqlite_url, timing=timing, on_event=told) as client, client.hold("a") as held:
        told.wait_for(events.Renewed)
        with tables.transaction() as connection:
            connection.execute(text("UPDATE lease SET label = label"))
            risk = told.wait_for(events.AtRisk)
        renewed = len(told.of(events.Renewed))
        told.wait_for(events.Renewed, number=renewed + 1)
        held.ensure()
    assert "locked" in risk.cause or "no answer" in risk.cause or "locked for writing" in risk.cause


def test_two_clients_make_the_tables_at_the_same_moment(empty_sqlite_url: str) -> None:
    start = threading.Barrier(4)

    def work() -> bool:
        start.wait(LIMIT)
        with LeaseClient(empty_sqlite_url) as client:
            return client.read("a") is None

    with in_thread(work) as one, in_thread(work) as two, in_thread(work) as three, in_thread(work) as four:
        assert all(result() for result in (one, two, three, four))


def test_an_sqlite_that_is_too_old_is_refused_with_its_version(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(LeaseError, match=f"has SQLite {sqlite3.sqlite_version}, but leased needs 3.35 or later"):
        open_database(sqlite_url, timeout=2.0)


def refusal(url: str) -> str:
    with pytest.raises(LeaseError) as refused:
        LeaseClient(url, timing=STEADY).__enter__()
    said = str(refused.value)
    assert "\n" not in said
    assert said.startswith("the database sqlite:///")
    return said


def refusal_to_another_user(url: str) -> str:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65_534)
        os.setuid(65_534)
    return refusal(url)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "missing/leased.db",
            "unable to open database file; there is no folder {}/missing; create it, or correct the path",
        ),
        ("notes.txt", "file is not a database; it is not an SQLite database; name one of leased's"),
        ("", "unable to open database file; it is a folder; name a file in it"),
    ],
)
def test_what_cannot_be_opened_is_told_in_one_sentence_and_left_alone(tmp_path: Path, name: str, says: str) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("dear diary " * 1_000)
    assert says.format(tmp_path) in refusal(f"sqlite:///{tmp_path}/{name}".rstrip("/"))
    assert notes.read_text() == "dear diary " * 1_000


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("processes")
def test_a_file_that_may_not_be_written_is_told_in_one_sentence(sqlite_url: str) -> None:
    """By a user who is not root, who may write everything."""
    folder = readable_temporary_folder("leased-readonly-")
    try:
        shutil.copy(path_of(sqlite_url), folder / "leased.db")
        (folder / "leased.db").chmod(0o444)
        folder.chmod(0o555)
        wait_until(lambda: gc.collect() >= 0 and not file_connection._open, "what tests before this had open is closed")
        said = in_forked_child(lambda: refusal_to_another_user(f"sqlite:///{folder / 'leased.db'}"))
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    assert "readonly" in said or "unable to open" in said
    assert (
        said.endswith("; this user may not write to the file, or not to its folder") or "cannot open the file" in said
    )


async def test_a_failed_start_leaves_no_thread_behind(tmp_path: Path) -> None:
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            LeaseClient(f"sqlite:///{tmp_path}/missing/leased.db", timing=STEADY).__enter__()
        with pytest.raises(StoreUnavailable):
            await lease.LeaseClient(f"sqlite:///{tmp_path}/missing/leased.db", timing=STEADY).__aenter__()
    wait_until(lambda: threading.active_count() <= before, "its threads are gone")


async def test_an_attempt_for_which_the_system_has_no_thread_is_one_that_did_not_reach_the_database(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with opened(sqlite_url) as database:
        with monkeypatch.context() as short:
            short.setattr(threading.Thread, "start", refuse)
            with pytest.raises(StoreUnavailable, match="no thread can be started"):
                await database.read(lambda _: None)
        assert await database.read(lambda _: 1) == 1


async def test_an_attempt_is_bounded_by_the_clients_clock(sqlite_url: str) -> None:
    answers = threading.Event()
    async with opened(sqlite_url, 0.2) as database:
        with pytest.raises(StoreUnavailable, match=r"no answer within 0\.2s"):
            await database.read(lambda _: answers.wait(LIMIT))
        answers.set()


async def test_a_write_that_raises_is_rolled_back_and_the_next_one_can_begin(sqlite_url: str, tables: Tables) -> None:
    def fails(connection: Connection) -> None:
        lease.statements.grant(connection, ["a"], "anna", 60.0)
        raise ZeroDivisionError

    async with opened(sqlite_url) as database:
        with pytest.raises(ZeroDivisionError):
            await database.write(fails)
        assert tables.read("a") is None
        assert await database.write(lambda one: lease.statements.grant(one, ["a"], "anna", 60.0)) == [
            Grant("a", 1, "anna")
        ]


async def test_foreign_keys_of_a_programs_own_tables_hold(sqlite_url: str) -> None:
    """SQLite forgets them unless each connection asks for them; the daemon's tables have some."""

    def orphan(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE child (name TEXT REFERENCES lease (name))")
        connection.exec_driver_sql("INSERT INTO child VALUES ('never granted')")

    async with opened(sqlite_url) as database:
        with pytest.raises(IntegrityError, match="FOREIGN KEY"):
            await database.write(orphan)


async def test_a_write_whose_caller_was_cancelled_may_fail_without_a_word(sqlite_url: str) -> None:
    database = open_database(sqlite_url, timeout=2.0, connections=1)
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    began, cancelled = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def fails_late(_: object) -> None:
        loop.call_soon_threadsafe(began.set)
        cancelled.wait(LIMIT)
        raise sqlite3.OperationalError("database or disk is full")

    call = asyncio.create_task(database.write(fails_late))
    await began.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    cancelled.set()
    await database.close()  # waits for the thread
    await asyncio.sleep(0)
    del call
    gc.collect()  # what nobody has asked for complains when it goes
    assert complaints == []


async def test_for_a_writer_that_takes_no_turn_an_attempt_waits_and_a_wire_does_not(sqlite_url: str) -> None:
    """As the `sqlite3` command: it knows no writer gate. Who asks over a wire cannot be interrupted meanwhile."""
    database = open_database(sqlite_url, timeout=LIMIT)
    wire = await database.wire()
    assert wire is not None
    waits = database.read(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout").scalar())
    assert await waits == LIMIT * 1000
    with closing(sqlite3.connect(path_of(sqlite_url), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(LIMIT / 2):
            with pytest.raises(WireFailed):
                await wire.send_in_loop(granting("a", "anna", 60.0))
    assert await wire.send_in_loop(reading(["a"])) == {}
    wire.close(LIMIT)
    await database.close()


async def test_no_wire_is_made_to_a_file_that_was_removed(sqlite_url: str) -> None:
    database = open_database(sqlite_url, timeout=LIMIT)
    await database.read_alone(reading(["a"]))
    path_of(sqlite_url).unlink()
    with pytest.raises(OSError, match="its file was removed while it was in use"):
        await database.wire()
    assert not path_of(sqlite_url).exists()
    await database.close()


async def test_a_call_that_was_given_up_is_waited_for_before_its_connection_is_closed(sqlite_url: str) -> None:
    database = open_database(sqlite_url, timeout=LIMIT)
    begun, may_go_on, ends = threading.Event(), threading.Event(), list[object]()

    def take_too_long(connection: Connection) -> None:
        begun.set()
        may_go_on.wait(LIMIT)
        ends.append(connection.exec_driver_sql("SELECT 1").scalar())

    call = asyncio.create_task(database.read(take_too_long))
    await asyncio.to_thread(begun.wait, LIMIT)
    call.cancel()
    end = asyncio.create_task(database.close())
    await asyncio.wait({call})
    asyncio.get_running_loop().call_soon(may_go_on.set)
    await end
    assert ends == [1]
    assert not path_of(f"{sqlite_url}-wal").exists()  # the last connection that is closed removes it


async def test_it_is_closed_at_once_although_closing_waits_for_a_thread_of_the_event_loop(sqlite_url: str) -> None:
    database, let_go = open_database(sqlite_url, timeout=LIMIT), threading.Event()
    await database.read_alone(reading(["a"]))
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    others = loop.run_in_executor(None, let_go.wait, LIMIT)
    end = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    end.cancel()  # as whoever has no more patience does
    try:
        with pytest.raises(StoreUnavailable, match="shut down"):
            await database.read_alone(reading(["a"]))
    finally:
        let_go.set()
    await others
    await database.close()


MOUNT = "36 35 {device} / {folder} rw,noatime shared:1 master:2 - {kind} server:/export rw,vers=4.2\n"


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The list of mounts, as Linux writes it, in which the folder of the test may be."""
    listed = tmp_path / "mountinfo"
    monkeypatch.setattr(file_systems, "MOUNTS", listed)
    return listed


def as_mounted(folder: Path, kind: str) -> str:
    device = folder.stat().st_dev
    return MOUNT.format(device=f"{os.major(device)}:{os.minor(device)}", folder=folder, kind=kind)


@pytest.mark.parametrize(
    ("kind", "found"),
    [("nfs4", "nfs4"), ("cifs", "cifs"), ("fuse.sshfs", "fuse.sshfs"), ("ext4", None), ("fuse", None)],
)
def test_the_kind_of_the_mount_decides(tmp_path: Path, mounted: Path, kind: str, found: str | None) -> None:
    elsewhere = (
        MOUNT.format(device="0:0", folder="/home", kind="nfs").encode() + b"37 35 0:1 /m\xfcll / rw - nfs m rw\n"
    )
    mounted.write_bytes(elsewhere + as_mounted(tmp_path, kind).encode())
    assert network_file_system(str(tmp_path / "not-made-yet.db")) == found
    mounted.unlink()
    assert network_file_system(str(tmp_path / "not-made-yet.db")) is None


def test_a_client_on_such_a_file_says_so_once(tmp_path: Path, mounted: Path) -> None:
    file, told = tmp_path / "leased.db", Recorder()
    mounted.write_text(as_mounted(tmp_path, "nfs4"))
    with LeaseClient(f"sqlite:///{file}", timing=STEADY, on_event=told) as client, client.hold("a"):
        assert told.wait_for(events.OnNetwork) == events.OnNetwork(str(file), "nfs4")
    assert len(told.of(events.OnNetwork)) == 1
    mounted.write_text(as_mounted(tmp_path, "ext4"))
    quiet = Recorder()
    with LeaseClient(f"sqlite:///{file}", timing=STEADY, on_event=quiet):
        pass
    assert quiet.of(events.OnNetwork) == []
