"""Zombies: work outside of the client under a grant that has ended, whose fenced writes fail (rule 11)."""

import shutil
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

import lease
from tests.docs.pages import ROOT, blocks
from tests.lease.stores import HASTY, Tables, in_thread
from tests.support.waiting import LIMIT, wait_until

WRITE = "INSERT INTO written VALUES ('by a zombie')"
Work = Callable[[str, lease.sync.Lease, Path], bool]
"""Works under a grant: says so by the file ``begun``, writes once the file ``go`` is there, and returns whether that
went well."""
WAIT = 'touch "$FOLDER/begun"; while [ ! -e "$FOLDER/go" ]; do sleep 0.05; done'
PAGE = ROOT / "docs" / "tutorials" / "first-schedule.md"
SCRIPT = blocks(PAGE, "sql")[0].replace("BEGIN;", f"\\! {WAIT}\nBEGIN;").replace("\n...\n", f"\n{WRITE};\n")
"""As the page shows it, but for what it does between."""


def thread(url: str, held: lease.sync.Lease, folder: Path) -> bool:
    engine = create_engine(url, poolclass=NullPool)
    (folder / "begun").touch()
    wait_until((folder / "go").exists, "its grant has ended")
    try:
        with engine.begin() as connection:
            lease.fence(connection, held)
            connection.execute(text(WRITE))
    except lease.LeaseLost:
        return False
    return True


def psql(url: str, held: lease.sync.Lease, folder: Path) -> bool:
    """Goes on after an error, as psql does unless it is told otherwise."""
    place = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    environment = {
        "PATH": "/usr/bin:/bin",
        "FOLDER": str(folder),
        "LEASE_NAME": held.name,
        "LEASE_TOKEN": str(held.token),
        "LEASE_HOLDER": held.holder,
    }
    command = ["psql", "--quiet", place]
    done = subprocess.run(
        command, input=SCRIPT, env=environment, timeout=LIMIT, check=False, capture_output=True, text=True
    )
    assert done.stderr == "" or "is lost: the grant with token 1 has ended" in done.stderr
    return done.stderr == ""


@pytest.mark.usefixtures("passing_seconds")
def test_a_fenced_write_of_a_zombie_fails_when_its_client_was_closed(tables: Tables, tmp_path: Path) -> None:
    """What is outside the process is not known to have ended: its grant is left to it, and to nobody else."""
    check(tables, tmp_path, thread, "its client was closed")


@pytest.mark.parametrize("end", ["another was granted", "its own release", "nothing"])
def test_a_fenced_write_of_a_zombie_fails_on_postgresql(postgres_tables: Tables, tmp_path: Path, end: str) -> None:
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed (Debian: postgresql-client)")
    check(postgres_tables, tmp_path, psql, end)


def check(tables: Tables, folder: Path, work: Work, end: str) -> None:
    tables.run(lambda connection: connection.execute(text("CREATE TABLE written (what text)")))
    with ExitStack() as closing:
        held = closing.enter_context(lease.sync.LeaseClient(tables.url, timing=HASTY)).acquire("a")
        with in_thread(lambda: work(tables.url, held, folder)) as wrote:
            wait_until((folder / "begun").exists, "it works under its grant")
            match end:
                case "another was granted":
                    tables.make_stale("a")
                    assert tables.grant("a", holder="ben")
                case "its own release":
                    assert held.release()
                case "its client was closed":
                    closing.close()
                case _:
                    assert end == "nothing"
            (folder / "go").touch()
            assert wrote() == (end == "nothing")
    assert tables.value("SELECT count(*) FROM written") == (1 if end == "nothing" else 0)
