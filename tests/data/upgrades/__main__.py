"""`python -m tests.data.upgrades REVISION COMMIT` makes the fixtures of an older revision anew.

The code of COMMIT, the last one whose newest revision is REVISION, plays REVISION/scene.py (with
`playing.py`, which is next to this file) on both databases. REVISION/{sqlite,postgresql}.sql are dumps of them in its midst, with runs that wait, are
at work and are to be tried again; REVISION/{sqlite,postgresql}.json are the statements with which
that version goes on. Needs the history of the repository, and the programs of PostgreSQL 16.
"""

import io
import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url

from tests.support.binaries import binaries
from tests.support.postgres import PostgresServer

HERE = Path(__file__).parent
ROOT = HERE.parent.parent.parent


def main(revision: str, commit: str) -> None:
    packed = subprocess.run(["git", "-C", ROOT, "archive", commit, "lease", "daemon"], capture_output=True, check=True)
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
            archive.extractall(folder, filter="data")
        file = Path(folder) / "leased.db"
        play(Path(folder), revision, f"sqlite:///{file}", lambda: of_sqlite(file))
        programs = binaries("16")
        with PostgresServer(programs) as server:
            play(Path(folder), revision, server.url(), lambda: of_postgresql(programs.folder, server.url()))
        programs.remove()


def play(folder: Path, revision: str, url: str, dump: Callable[[], str]) -> None:
    """Play the scene; write the dump, and the statements."""
    to = HERE / revision / make_url(url).get_backend_name()
    command = [sys.executable, str(HERE / revision / "scene.py"), url, str(to.with_suffix(".json"))]
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{HERE}"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as scene:
        assert scene.stdout is not None
        if scene.stdout.readline() == "set\n":
            to.with_suffix(".sql").write_text(dump(), encoding="utf-8")
        scene.communicate("\n")
    if scene.returncode != 0:
        sys.exit(scene.returncode)


def of_sqlite(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def of_postgresql(programs: Path, url: str) -> str:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    command = [str(programs / "pg_dump"), "--no-owner", "--no-privileges", "--column-inserts", plain]
    dumped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # What begins with a backslash is for psql.
    lines = [line for line in dumped.splitlines() if line and not line.startswith(("\\", "--"))]
    return "\n".join(lines) + "\n"


if len(sys.argv) != 3:
    sys.exit(__doc__)
main(*sys.argv[1:])
