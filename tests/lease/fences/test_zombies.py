"""Zombies of each kind: work under a grant that has ended, whose fenced writes fail (rule 11)."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

import lease
from lease import Grant
from tests.docs.pages import ROOT, blocks
from tests.lease.stores import SELDOM, Tables, in_thread
from tests.support.waiting import LIMIT, wait_until

WRITE = "INSERT INTO written VALUES ('by a zombie')"
Held = lease.sync.Lease | Grant
Work = Callable[[str, lease.sync.Lease, Path], bool]
"""Works under a grant: says so by the file ``begun``, writes once the file ``go`` is there, and returns whether that
went well."""


def thread(url: str, held: Held, folder: Path) -> bool:
    engine = create_engine(url, poolclass=NullPool)
    begin_and_wait(folder)
    try:
        with engine.begin() as connection:
            lease.fence(connection, held)
            connection.execute(text(WRITE))
    except lease.LeaseLost:
        return False
    return True


CHILD = """
import sys
from pathlib import Path
from lease import Grant
from tests.lease.fences.test_zombies import thread
url, name, token, holder, folder = sys.argv[1:]
sys.exit(0 if thread(url, Grant(name, int(token), holder), Path(folder)) else 1)
"""


def child(url: str, held: lease.sync.Lease, folder: Path) -> bool:
    arguments = [url, held.name, str(held.token), held.holder, str(folder)]
    return subprocess.run([sys.executable, "-c", CHILD, *arguments], timeout=LIMIT, check=False).returncode == 0


WAIT = 'touch "$FOLDER/begun"; while [ ! -e "$FOLDER/go" ]; do sleep 0.05; done'
FENCE = "SELECT lease_fence(:'LEASE_NAME', :'LEASE_TOKEN', :'LEASE_HOLDER')"
SHELL = f"""
{WAIT}
psql --quiet --single-transaction --set ON_ERROR_STOP=1 --set LEASE_NAME="$LEASE_NAME" --set LEASE_TOKEN="$LEASE_TOKEN" \\
  --set LEASE_HOLDER="$LEASE_HOLDER" "$URL" <<'END'
{FENCE};
{WRITE};
END
"""
PAGE = ROOT / "docs" / "tutorials" / "first-schedule.md"
SCRIPT = blocks(PAGE, "sql")[0].replace("BEGIN;", f"\\! {WAIT}\nBEGIN;").replace("\n...\n", f"\n{WRITE};\n")
"""As the page shows it, but for what it does between."""


def shell(url: str, held: lease.sync.Lease, folder: Path) -> bool:
    return run_psql(["sh", "-c", SHELL], "", url, held.grant, folder)


def psql(url: str, held: lease.sync.Lease, folder: Path) -> bool:
    """Goes on after an error, as psql does unless it is told otherwise."""
    place = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return run_psql(["psql", "--quiet", place], SCRIPT, url, held.grant, folder)


def run_psql(command: list[str], script: str, url: str, grant: Grant, folder: Path) -> bool:
    environment = {
        "PATH": "/usr/bin:/bin",
        "URL": make_url(url).set(drivername="postgresql").render_as_string(hide_password=False),
        "FOLDER": str(folder),
        "LEASE_NAME": grant.name,
        "LEASE_TOKEN": str(grant.token),
        "LEASE_HOLDER": grant.holder,
    }
    done = subprocess.run(
        command, input=script, env=environment, timeout=LIMIT, check=False, capture_output=True, text=True
    )
    assert done.stderr == "" or "is lost: the grant with token 1 has ended" in done.stderr
    return done.stderr == ""


def begin_and_wait(folder: Path) -> None:
    (folder / "begun").touch()
    wait_until((folder / "go").exists, "its grant has ended")


ANYWHERE: dict[str, Work] = {"a thread": thread, "a child process": child}
ON_POSTGRESQL: dict[str, Work] = {**ANYWHERE, "a shell script": shell, "a psql script": psql}
ENDS = ["another was granted", "its own release", "nothing"]


@pytest.mark.usefixtures("processes")
def test_a_fenced_write_of_a_zombie_fails_when_its_client_was_closed(tables: Tables, tmp_path: Path) -> None:
    """What is outside the process is not known to have ended: its grant is left to it, and to nobody else."""
    check(tables, tmp_path, thread, "its client was closed")


@pytest.mark.parametrize("zombie", ON_POSTGRESQL)
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.sampled(5)
def test_a_fenced_write_of_a_zombie_fails_on_postgresql(
    postgres_tables: Tables, tmp_path: Path, zombie: str, end: str
) -> None:
    if zombie not in ANYWHERE and shutil.which("psql") is None:
        pytest.skip("psql is not installed (Debian: postgresql-client)")
    check(postgres_tables, tmp_path, ON_POSTGRESQL[zombie], end)


@pytest.mark.parametrize("zombie", ANYWHERE)
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.usefixtures("processes")
@pytest.mark.sampled(4)
def test_a_fenced_write_of_a_zombie_fails_on_sqlite(sqlite_url: str, tmp_path: Path, zombie: str, end: str) -> None:
    with Tables(sqlite_url) as tables:
        check(tables, tmp_path, ANYWHERE[zombie], end)


def check(tables: Tables, folder: Path, work: Work, end: str) -> None:
    tables.run(lambda connection: connection.execute(text("CREATE TABLE written (what text)")))
    with ExitStack() as closing:
        held = closing.enter_context(lease.sync.LeaseClient(tables.url, timing=SELDOM)).acquire("a")
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
