"""The queries of the page about SQL, on each database: they find what `leased status --json` says."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import update

from daemon.answers.status import StatusReader
from daemon.store.views.locks import OF_DAEMON, read_locks
from lease import statements
from lease.schema import lease
from tests.daemon.store.test_views import MINUTE, Rows, rows_in
from tests.docs.pages import ROOT, blocks

LONG, LOCKS, LATE, PAST, FAILING, NEVER, THINNED = range(7)
BLOCKS = blocks(ROOT / "docs" / "how-to" / "operate" / "ask-with-sql.md", "sql")
QUERIES = {"postgresql": [*BLOCKS[0:8:2], *BLOCKS[8:]], "sqlite": [*BLOCKS[1:8:2], *BLOCKS[8:]]}


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    with rows_in(database_url) as rows:
        yield rows


def answer(rows: Rows, question: int) -> list[Any]:
    query = QUERIES[rows.connection.dialect.name][question]
    return list(rows.connection.connection.driver_connection.execute(query))  # type: ignore[union-attr]


def successes(rows: Rows, schedule: str, minutes: float, number: int = 10) -> None:
    for at in range(number):
        began = rows.now - (2_000 + at) * MINUTE
        rows.run("succeeded", 2_000 + at, schedule=schedule, started_at=began, finished_at=began + minutes * MINUTE)


def test_each_query_finds_what_status_says(rows: Rows) -> None:
    rows.replica()
    rows.schedule("waits", called="waits with another name")
    rows.schedule("set", definition='{"long": {"warn": 60.0, "critical": 9000.0}}')
    rows.schedule("set-high", definition='{"long": {"critical": 9000.0}}')
    rows.schedule("never-long", definition='{"long": false}')
    rows.schedule("unplanned", next_due=rows.now - 2 * MINUTE)
    rows.schedule("off", next_due=rows.now - 2 * MINUTE, enabled=False)
    rows.schedule("old", next_due=None, retired_at=rows.now)
    for name in ("unknown", "short", "few", "usual", "unusual", "past", "fails", "mended", "never", "thinned", "calm"):
        rows.schedule(name)
    for name, minutes in (("short", 9), ("unknown", 11), ("few", 20), ("usual", 20), ("unusual", 40), ("set", 2)):
        rows.running(schedule=name, minutes_ago=minutes)
    for name in ("never-long", "set-high"):
        rows.running(schedule=name, minutes_ago=120)
    successes(rows, "few", 15, 9)
    successes(rows, "usual", 15)
    successes(rows, "unusual", 15)
    rows.run("pending", 5, schedule="waits")
    rows.run("pending", 3, schedule="waits", available_at=None)
    rows.run("pending", 0.5, schedule="past", finish_by=rows.now - MINUTE)
    rows.run("succeeded", 90, schedule="past", finish_by=rows.now - 80 * MINUTE)
    for state in ("failed", "succeeded", "failed", "failed", "cancelled"):
        rows.run(state, 80 - len(state), schedule="fails", trigger="manual")
    rows.run("failed", 50, schedule="mended")
    rows.run("succeeded", 40, schedule="mended")
    for name in ("never", "old"):
        rows.run("skipped", 9_000, schedule=name, reason="missed")
    for at in range(40):
        rows.run("skipped" if at % 3 else "succeeded", 400 - at, schedule="thinned")
        rows.run("succeeded" if at % 3 else "skipped", 400 - at, schedule="calm")
    statements.grant(rows.connection, ["mine", *(f"{of}shop" for of in OF_DAEMON)], "somebody", 3600, label="a shell")
    rows.connection.execute(update(lease).values(granted_at=rows.now - 31 * MINUTE))
    statements.grant(rows.connection, ["other"], "somebody", 3600)

    status = StatusReader(None, None, None, None, None, 60.0, with_deadlines=True).read(rows.connection).answer
    said = {
        kind: [one for one in status.problems if one.kind == kind] for kind in {one.kind for one in status.problems}
    }
    assert {(row[0], row[2]) for row in answer(rows, LONG)} == {(one.run_id, one.schedule) for one in said["long"]}
    assert {one.schedule for one in said["long"]} == {"unknown", "few", "unusual", "set"}
    assert [row[0] for row in answer(rows, LOCKS)] == [one.name for one in read_locks(rows.connection) if one.long]
    assert {(row[1], row[2]) for row in answer(rows, LATE)} == {(one.schedule, one.run_id) for one in said["late"]}
    assert {one.schedule for one in said["late"]} == {"waits with another name", "unplanned"}
    assert [row[0] for row in answer(rows, PAST)] == [one.run_id for one in said["late to finish"]]
    failing = {(row[1], row[2]) for row in answer(rows, FAILING)}
    assert failing == {(line.schedule, line.failures) for line in status.items if line.failures} == {("fails", 2)}
    assert [row[1] for row in answer(rows, NEVER)] == [one.schedule for one in said["never ran"]] == ["never"]
    assert [tuple(row[1:]) for row in answer(rows, THINNED)] == [
        (line.schedule, line.left_out.overlapped, line.left_out.latest)
        for line in status.items
        if line.left_out.is_thinned
    ]
    assert [one.schedule for one in said["thinned"]] == ["thinned"]
