"""The command in a folder and an environment of its own."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import croniter  # noqa: F401 - as it is imported, it starts `file` to learn what the interpreter is: not in a test
import pytest
from sqlalchemy import Connection, inspect

from daemon.cli import main
from daemon.store import migrations
from daemon.store.migrations import state
from tests.support.store import Store
from tests.support.waiting import LIMIT

ROOT = Path(__file__).parents[3]

JOBS = """
from daemon import AsyncRun, Run, Schedules

schedules = Schedules("shop")
nightly = schedules.add("nightly", cron="30 2 1 1 *", params={"customer": 7, "rows": ""})

@nightly.job(timeout="1m")
async def zones(run: AsyncRun) -> None:
    run.progress(598, 598, "all zones")

nightly.command("orders", "echo checked; test ! -e broken", timeout="1m")
"""


@dataclass(frozen=True)
class Answer:
    """What a command wrote, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        assert self.out, self.err
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """What it wrote, once it has succeeded."""
        assert self.status == 0, self.err
        return self.out.splitlines()

    def is_refused(self, status: int, sentence: str) -> None:
        assert (self.status, self.out, self.err) == (status, "", f"leased: {sentence}\n")

    def is_one_sentence(self, status: int, *parts: str) -> None:
        """It is refused with a sentence in which these parts are, and nothing that is secret."""
        assert (self.status, self.out, self.err.count("\n")) == (status, "", 1), self.err
        assert self.err.startswith("leased: ")
        assert [part for part in ("Traceback", "geheim") if part in self.err] == []
        assert [part for part in parts if part not in self.err] == [], self.err


Leased = Callable[..., Answer]


@pytest.fixture(scope="session")
def all_tables(sqlite_template: Path) -> list[str]:
    """The statements that make what all migrations together make."""
    with closing(sqlite3.connect(sqlite_template)) as template:
        return list(template.iterdump())[1:-1]  # but for the transaction around them


@pytest.fixture(autouse=True)
def new_files_get_their_tables_at_once(all_tables: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrate no empty SQLite file step by step, which takes far longer than most commands."""
    migrate = state._run_alembic

    def make(revision: str, script: Any = None, **attributes: Any) -> None:
        connection: Connection | None = attributes.get("connection")
        if connection is not None and connection.dialect.name == "sqlite" and not inspect(connection).get_table_names():
            for statement in all_tables:
                connection.exec_driver_sql(statement)
        else:
            migrate(revision, script, **attributes)

    monkeypatch.setattr(state, "_run_alembic", make)


def no_second_load(_file: str) -> AbstractContextManager[Callable[[object], None]]:
    """Stand in for the second load of `leased check`, which takes a process: it finds no difference."""
    return nullcontext(lambda _application: None)


@pytest.fixture
def one_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `leased check` load a file once, where the second load has nothing to say."""
    monkeypatch.setattr("daemon.cli.commands.defining.check.second_load", no_second_load)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory of the test, with a file of definitions; no setting comes from outside, and none that a
    command leaves to its jobs outlasts the test.
    """
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (home / "shop.py").write_text(JOBS)
    with patch.dict(os.environ):
        for variable in [name for name in os.environ if name.startswith("LEASED_")]:
            del os.environ[variable]
        yield home


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    """The database that commands find in their folder, with its tables."""
    url = f"sqlite:///{folder / 'leased.db'}"
    migrations.upgrade(url)
    with Store(url) as opened:
        yield opened


@pytest.fixture
def leased(folder: Path, capsys: pytest.CaptureFixture[str]) -> Leased:
    """Run a command in this very process."""

    def run(*arguments: str) -> Answer:
        status = main(arguments)
        written = capsys.readouterr()
        return Answer(status, written.out, written.err)

    return run


@pytest.fixture
def process(folder: Path, processes: None) -> Leased:
    """Run a command as people do, in a process of its own."""

    def run(*arguments: str, **environment: str) -> Answer:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "leased", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    return run
