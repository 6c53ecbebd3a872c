"""The floors of a run: two commits that change one row each, and nothing else."""

import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

from sqlalchemy.engine import make_url

from tests.support.binaries import FOLDERS, PACKAGE
from tests.support.databases import DEFAULT_VERSION
from tests.support.postgres import plain, query

from ..errors import BenchmarkError
from ..stores import Store

PGBENCH = "pgbench -M prepared"
SQLITE3 = "sqlite3"
_TABLE = "CREATE TABLE bare (id integer PRIMARY KEY, state text NOT NULL)"
_SCRIPT = """\\set id random(1, {rows})
UPDATE bare SET state = 'running' WHERE id = :id;
UPDATE bare SET state = 'succeeded' WHERE id = :id;
"""
_SECONDS = 3
_TPS = re.compile(r"tps = ([\d.]+)")


def pgbench(store: Store, folder: Path, clients: int, *, seconds: int = _SECONDS, rows: int = 2_000) -> float:
    """Return how many pairs of one-row commits a second so many clients of pgbench do. Raises `BenchmarkError`."""
    program = _program()
    if program is None:
        raise BenchmarkError("pgbench is not installed (on Debian: postgresql-contrib)")
    script = folder / "bare.sql"
    script.write_text(_SCRIPT.format(rows=rows), encoding="utf-8")
    with store.empty() as url:
        query(url, _TABLE)
        query(url, f"INSERT INTO bare SELECT n, 'pending' FROM generate_series(1, {rows}) AS n")
        words = [program, "-M", "prepared", "-n", "-c", str(clients), "-j", "2", "-T", str(seconds), "-f", str(script)]
        ended = subprocess.run([*words, plain(url)], capture_output=True, text=True, check=False)
    found = _TPS.search(ended.stdout)
    if found is None:
        raise BenchmarkError(f"pgbench failed: {' '.join(ended.stderr.split())[-200:]}")
    return float(found[1])


def has_pgbench() -> bool:
    """Return whether it is there."""
    return _program() is not None


def _program() -> str | None:
    """Return the one beside the tests' server, whose libraries it finds by relative paths, or else the one on the PATH."""
    spec = find_spec(PACKAGE)
    if spec is not None and spec.origin is not None:
        beside = Path(spec.origin).parent / FOLDERS[DEFAULT_VERSION] / "bin" / "pgbench"
        if beside.exists():
            return str(beside)
    return shutil.which("pgbench")


def sqlite3_pairs(store: Store, *, seconds: float = _SECONDS, rows: int = 2_000) -> float:
    """Return how many pairs of one-row commits a second one connection of sqlite3 does."""
    with store.empty() as url, closing(sqlite3.connect(str(make_url(url).database), isolation_level=None)) as bare:
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute(_TABLE)
        bare.executemany("INSERT INTO bare VALUES (?, 'pending')", ((number,) for number in range(rows)))
        pairs, began = 0, perf_counter()
        while (passed := perf_counter() - began) < seconds:
            for state in ("running", "succeeded"):
                bare.execute("UPDATE bare SET state = ? WHERE id = ?", (state, pairs % rows))
            pairs += 1
    return pairs / passed
