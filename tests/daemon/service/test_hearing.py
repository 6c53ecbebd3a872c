"""Whether a replica hears its own signs of life (rule 24); and commits to an SQLite file are told, whoever makes them, and
whether or not the kernel tells of writes.
"""

import asyncio
import socket
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from time import monotonic

import pytest

from daemon.service.waking import hearing
from daemon.service.waking.hearing import FileChanges, ProvenHearing
from tests.support.manual import until
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A database in use: its `-wal` is there."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE sale (number INTEGER)")
        connection.commit()
        yield path


def sell(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO sale VALUES (1)")


@asynccontextmanager
async def watched(file: Path) -> AsyncIterator[asyncio.Event]:
    heard = asyncio.Event()
    watch = FileChanges(str(file), heard.set)
    watch.open()
    await asyncio.sleep(0)
    try:
        yield heard
    finally:
        watch.close()


@pytest.mark.parametrize("is_told", [True, False], ids=["by the kernel", "by nobody"])
async def test_each_commit_is_told(file: Path, monkeypatch: pytest.MonkeyPatch, *, is_told: bool) -> None:
    if not is_told:
        monkeypatch.setattr(hearing, "_inotify_of", lambda _: None)
    async with watched(file) as heard:
        for _ in range(3):
            heard.clear()
            sell(file)
            await asyncio.wait_for(heard.wait(), LIMIT)


async def test_a_commit_is_told_that_can_be_seen_only_some_time_after_it_was_written(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is slow."""
    monkeypatch.setattr(FileChanges, "_read", lambda _: None)
    heard = asyncio.Event()
    watch = FileChanges(str(file), heard.set)
    watch.open()
    watch._written.set()
    for _ in range(3):
        await asyncio.sleep(0.001)
    assert not heard.is_set()
    sell(file)
    await asyncio.wait_for(heard.wait(), LIMIT)
    watch.close()


async def test_what_is_committed_while_the_count_cannot_be_read_is_told_as_soon_as_it_can(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "_LAST", 0.01)
    count, fails, failed = hearing._count, asyncio.Event(), asyncio.Event()

    def short_of_space(connection: sqlite3.Connection) -> int:
        if fails.is_set():
            failed.set()
            raise sqlite3.OperationalError("database or disk is full")
        return count(connection)

    monkeypatch.setattr(hearing, "_count", short_of_space)
    async with watched(file) as heard:
        fails.set()
        sell(file)
        await asyncio.wait_for(failed.wait(), LIMIT)
        assert not heard.is_set()
        fails.clear()
        await asyncio.wait_for(heard.wait(), LIMIT)


async def test_a_file_that_is_locked_holds_up_nobody(tmp_path: Path) -> None:
    """By a program that has it for itself; the event loop has other things to do."""
    file = tmp_path / "shop.db"
    with closing(sqlite3.connect(file)) as alone:
        alone.execute("PRAGMA locking_mode = EXCLUSIVE")
        alone.execute("PRAGMA journal_mode = WAL")
        alone.execute("CREATE TABLE sale (number INTEGER)")
        loop = asyncio.get_running_loop()
        begun = loop.time()
        async with watched(file):
            await asyncio.sleep(0)
        assert loop.time() - begun < 1.0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells of writes")
async def test_other_files_in_the_folder_tell_nothing(file: Path) -> None:
    watch = FileChanges(str(file), lambda: None)
    watch.open()
    await asyncio.sleep(0)
    (file.parent / "log").write_text("a line")
    watch._read()
    assert not watch._written.is_set()
    sell(file)
    watch._read()
    assert watch._written.is_set()
    watch.close()


# Its own signs of life


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "ANSWERS_WITHIN", 0.1)


class Kept(ProvenHearing):
    """A hearing that keeps how often it was unheard."""

    def __init__(self) -> None:
        super().__init__()
        self.unheard = 0

    def _unheard(self) -> None:
        self.unheard += 1


@pytest.mark.usefixtures("_soon")
async def test_a_loop_that_stood_still_reads_what_came_meanwhile_before_it_is_taken_for_deaf() -> None:
    loop, kept = asyncio.get_running_loop(), Kept()
    reading, writing = socket.socketpair()
    loop.add_reader(reading, lambda: loop.remove_reader(reading) and loop.call_soon(kept._heard))
    kept.expect(monotonic())
    writing.send(b"a sign of life")
    time.sleep(0.2)  # noqa: ASYNC251 - it is what stands still
    await until(lambda: not kept.needs_proof, "it is read")
    reading.close()
    writing.close()
    assert not kept.unheard


@pytest.mark.usefixtures("_soon")
async def test_what_is_not_heard_in_time_is_told_once() -> None:
    kept = Kept()
    for _ in range(2):
        kept.expect(monotonic())
    await until(lambda: kept.unheard, "it is told")
    assert kept.unheard == 1
