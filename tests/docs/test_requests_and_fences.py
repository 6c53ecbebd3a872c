"""The blocks that request a run, and those that fence: together with a row of the caller's, and once."""

import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from daemon import Run, Schedules
from daemon.definitions.sources.load import load
from daemon.store import migrations
from daemon.testing import run_once
from tests.docs.pages import ROOT, blocks
from tests.support.store import Store

HOW_TO = ROOT / "docs" / "how-to" / "schedules"
PICTURES, UPLOAD, THUMBNAIL = blocks(HOW_TO / "queue-work.md", "python")
(INVOICES,) = blocks(HOW_TO / "request-a-run.md", "toml")
(TAKE,) = blocks(HOW_TO / "request-a-run.md", "python")
(ACCOUNT,) = blocks(ROOT / "docs" / "explanation" / "how-it-works.md", "python")
TUTORIAL = blocks(ROOT / "docs" / "tutorials" / "first-schedule.md", "python")[-1]


@pytest.mark.parametrize(
    "shown",
    [
        ("pictures.py", PICTURES, UPLOAD, "picture (name text)", "upload('cat.png')"),
        ("shop.toml", INVOICES, TAKE, "orders (id integer)", "take(4711, 7)"),
    ],
    ids=lambda shown: shown[0],
)
def test_a_row_and_its_run_are_written_together_and_a_key_is_one_run(
    shown: tuple[str, str, str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, definitions, block, table, call = shown
    (tmp_path / file).write_text(definitions)
    application = load(tmp_path / file)
    url = f"sqlite:///{tmp_path / 'leased.db'}"
    migrations.upgrade(url)
    with Store(url) as store:
        store.sync(*application.schedules, application=application.name)
        ((module, name),) = re.findall(r"^from (\w+) import (\w+)  # what FILE defines", block, re.MULTILINE)
        monkeypatch.setitem(sys.modules, module, SimpleNamespace(**{name: Schedules(application.name)}))
        names: dict[str, Any] = {}
        exec(block.replace("postgresql+psycopg://app@db/shop", url), names)  # noqa: S102 - of our own page
        with names["engine"].begin() as connection:
            connection.execute(text(f"CREATE TABLE {table}"))
        first, again = eval(f"{call}, {call}", names)  # noqa: S307 - as above
        names["engine"].dispose()
        assert first == again
        assert [row.state for row in store.runs()] == ["pending"]


@pytest.mark.parametrize(
    ("block", "tables", "found"),
    [
        (THUMBNAIL, ("CREATE TABLE thumbnail (key text PRIMARY KEY, picture text)",), "SELECT count(*) FROM thumbnail"),
        (
            ACCOUNT,
            (
                "CREATE TABLE done (key text PRIMARY KEY)",
                "CREATE TABLE account (balance integer)",
                "INSERT INTO account VALUES (0)",
            ),
            "SELECT balance FROM account",
        ),
        (TUTORIAL, (), "SELECT 1"),
    ],
)
def test_what_is_fenced_and_has_a_key_happens_once(block: str, tables: tuple[str, ...], found: str) -> None:
    schedules, seen = Schedules("shop"), list[int]()

    @schedules.on_request(params={"picture": "cat.png"})
    def work(run: Run) -> None:
        engine = create_engine(os.environ["LEASED_DATABASE_URL"], poolclass=NullPool)
        with engine.begin() as connection:
            for table in tables:
                connection.execute(text(table))
        for _ in range(2):
            exec(block, {"engine": engine, "run": run, "text": text})  # noqa: S102 - of our own page
        with engine.connect() as connection:
            seen.append(connection.scalar(text(found)))

    assert run_once(schedules, "work").state == "succeeded"
    assert seen == [1]
