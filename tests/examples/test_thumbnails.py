"""The example of work that arrives: a picture and its run are both there or neither, and each gets one thumbnail."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from daemon.definitions.sources.load import load
from examples import thumbnails
from lease.database.address import parse_address
from tests.support.programs import ran
from tests.support.store import Store

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "examples" / "thumbnails.py"
LEASED = ("-c", "from daemon.cli import main; main()")


@pytest.fixture
def url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LEASED_DATABASE_URL", database_url)
    return database_url


def program(folder: Path, *words: str) -> str:
    done = ran([sys.executable, *words], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rows(engine: Engine, statement: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


@pytest.mark.usefixtures("processes")
@pytest.mark.extended
def test_what_the_file_says_to_type_makes_each_thumbnail_once(url: str, tmp_path: Path) -> None:
    program(tmp_path, *LEASED, "sync", str(FILE))
    assert program(tmp_path, str(FILE), "cat.png", "dog.png") == "cat.png: run 1\ndog.png: run 2\n"
    assert program(tmp_path, str(FILE), "cat.png") == "cat.png: run 1\n"
    program(tmp_path, *LEASED, "run", str(FILE), "--until-idle", "--no-web")
    with thumbnails.database() as engine:
        made = [("cat.png", 200), ("dog.png", 200)]
        assert rows(engine, "SELECT picture, width FROM thumbnail ORDER BY picture") == made
        assert rows(engine, "SELECT state, requested_by IS NULL FROM run") == [("succeeded", False)] * 2
    assert url == os.environ["LEASED_DATABASE_URL"]


def test_a_transaction_that_is_rolled_back_leaves_neither_a_picture_nor_a_run(url: str) -> None:
    with Store(url) as store:
        store.sync(*load(FILE).schedules, application="pictures")
    engine = create_engine(parse_address(url))
    try:
        thumbnails.metadata.create_all(engine)
        with engine.connect() as connection:
            thumbnails.upload(connection, "cat.png")
            connection.rollback()
        assert rows(engine, "SELECT name FROM picture") == rows(engine, "SELECT id FROM run") == []
        with engine.begin() as connection:
            thumbnails.upload(connection, "cat.png")
        assert rows(engine, "SELECT name FROM picture") == [("cat.png",)]
        assert rows(engine, "SELECT state FROM run") == [("pending",)]
    finally:
        engine.dispose()


def test_a_second_attempt_finds_what_the_first_one_made(url: str) -> None:
    attempt: Any = SimpleNamespace(
        idempotency_key="pictures/thumbnail/1",
        params={"picture": "cat.png", "width": 200},
        fence=lambda _connection: None,
        progress=lambda *_: None,
    )
    with thumbnails.database() as engine:
        thumbnails.metadata.create_all(engine)
        thumbnails.thumbnail(attempt)
        thumbnails.thumbnail(attempt)
        assert rows(engine, "SELECT picture FROM thumbnail") == [("cat.png",)]
    assert url
