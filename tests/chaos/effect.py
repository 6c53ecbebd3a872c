"""The effect of a job: a row, and one more on an account, in a transaction behind the fence.

No constraint prevents a second row: like an ordinary program, it checks first and adds what is
missing. Only the fence makes that right. It uses nothing of the library but its writer gate, as a
program in another language would.
"""

import importlib.util
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

Grant = tuple[str, int, str]
Answer = Literal["written", "refused", "away"]
BOUND = 2.0
"""Seconds that a fenced transaction may take."""


def write(url: str, grant: Grant, run: int | None, job: str, *, park: float = 0.0) -> tuple[Answer, str]:
    """Write the effect of a job (or, without a run, a row of its own), and return the result.

    ``park`` is how long it waits before its commit.
    """
    if url.startswith("sqlite"):
        return _write_sqlite(url.partition("///")[2], grant, run, job, park)
    return _write_postgres(url.replace("+psycopg", "", 1), grant, run, job, park)


def _write_postgres(url: str, grant: Grant, run: int | None, job: str, park: float) -> tuple[Answer, str]:
    import psycopg2  # noqa: PLC0415 - a worker on SQLite does without; of the drivers it is imported soonest

    def execute(sql: str, values: Sequence[Any] = ()) -> Any:
        cursor.execute(sql, values)
        return cursor

    try:
        with closing(psycopg2.connect(url, connect_timeout=2)) as connection, connection, connection.cursor() as cursor:
            execute("SELECT public.lease_fence(%s, %s, %s, make_interval(secs => %s))", [*grant, BOUND])
            _add(execute, "%s", grant, run, job)
            time.sleep(park)
    except psycopg2.Error as error:
        first = error.__context__ or error  # a rollback of what is broken fails as well
        return ("refused" if error.pgcode == "LEASE" else "away"), str(first).partition("\n")[0]
    return "written", ""


def _write_sqlite(path: str, grant: Grant, run: int | None, job: str, park: float) -> tuple[Answer, str]:
    try:
        with closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as connection:
            with writer_gate.WriterGate(path) as entrance:
                entrance.pass_within(5)
                connection.execute("BEGIN IMMEDIATE")
            fence = "UPDATE lease SET token = token WHERE name = ? AND token = ? AND holder = ?"
            if connection.execute(fence, grant).rowcount != 1:
                connection.rollback()
                return "refused", "the grant has ended"
            _add(connection.execute, "?", grant, run, job)
            time.sleep(park)
            connection.execute("COMMIT")
    except (sqlite3.OperationalError, OSError) as error:  # where the table of descriptors is full, too
        return "away", str(error)
    return "written", ""


def _add(execute: Callable[..., Any], mark: str, grant: Grant, run: int | None, job: str) -> None:
    there = (
        run is not None
        and execute(
            f"SELECT count(*) FROM effect WHERE run = {mark} AND job = {mark}",
            [run, job],
        ).fetchone()[0]
    )
    if not there:
        marks = ", ".join([mark] * 5)
        execute(f"INSERT INTO effect (run, job, name, token, holder) VALUES ({marks})", [run, job, *grant])
        execute("UPDATE account SET balance = balance + 1")


def _load(name: str) -> Any:
    """Load a file of the library without the rest, which takes a second to import."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[2] / "lease" / "database" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


writer_gate = _load("writer_gate")
