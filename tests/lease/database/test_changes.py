"""Commits to an SQLite file are told, whoever makes them, and whether or not the kernel tells of writes."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from lease.database.listening import changes
from lease.database.listening.changes import FileChanges
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
        monkeypatch.setattr(changes, "_inotify_of", lambda _: None)
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
