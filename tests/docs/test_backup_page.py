"""The page about backups: its lines take a backup, set the database back to it, and prepare it."""

import shutil
from pathlib import Path

import pytest

import lease.sync
from tests.docs.pages import ROOT, blocks, on_the_path
from tests.support.binaries import Binaries
from tests.support.postgres import plain
from tests.support.programs import ran

pytestmark = pytest.mark.usefixtures("processes")

DUMP, BACKUP, RESTORE, REPLACE, PREPARE = blocks(ROOT / "docs" / "how-to" / "operate" / "back-up-and-restore.md", "sh")


def sh(line: str, folder: Path, url: str, *programs: Path) -> None:
    """Run a line of the page, with `leased` and PostgreSQL's programs on the path."""
    done = ran(["/bin/sh", "-ec", line], folder, on_the_path(folder, *programs), LEASED_DATABASE_URL=url)
    assert done.returncode == 0, (line, done.stderr)


def token(url: str, name: str = "report") -> int:
    with lease.sync.LeaseClient(url) as client, client.hold(name) as held:
        return held.token


def tokens(url: str) -> dict[str, int]:
    with lease.sync.LeaseClient(url) as client:
        return {record.name: record.token for record in client.list()}


@pytest.mark.extended
def test_a_dump_of_postgresql_is_restored_and_prepared(
    postgres_url: str, postgres_programs: Binaries, tmp_path: Path
) -> None:
    first = token(postgres_url)
    sh(DUMP, tmp_path, plain(postgres_url), postgres_programs.folder)
    token(postgres_url)
    assert token(postgres_url, "later") == 1
    sh(RESTORE, tmp_path, plain(postgres_url), postgres_programs.folder)
    assert tokens(postgres_url) == {"report": first}
    sh(PREPARE, tmp_path, plain(postgres_url))
    assert min(token(postgres_url), token(postgres_url, "later")) > first + 2


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="the page's backup needs the command sqlite3: install it")
def test_a_backup_of_sqlite_is_restored_and_prepared(sqlite_url: str, tmp_path: Path) -> None:
    first = token(sqlite_url)
    sh(BACKUP, tmp_path, "")
    token(sqlite_url)
    assert token(sqlite_url, "later") == 1
    sh(REPLACE, tmp_path, "")
    assert tokens(sqlite_url) == {"report": first}
    sh(PREPARE, tmp_path, sqlite_url)
    assert min(token(sqlite_url), token(sqlite_url, "later")) > first + 2
