"""One hostile record in the screens and JSON of all that reads: harmless."""

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from daemon.store.tables import act, backfill, delivery, job_output, schedule
from tests.daemon.cli.conftest import Leased
from tests.daemon.store.test_views import MINUTE, Rows, rows_in

NAME = "<script>[bold]x[/] \u202egnp"
"""What the name of a schedule may hold."""
HOSTILE = "<script>alert(1)</script>\x1b[2J\x1b]0;t\x07 [red]\u202egnp.exe\u2028\ufffd\x9b31m[/]"
LINE = f"first\r\n{HOSTILE}{'x' * 20_000}"
SENTENCES = ("why", "report", "doctor", "replicas", "locks", "generations")
"""All lines of these are short; others print what a job wrote."""
READS = ["status", "status --all --wide", "runs", "replicas", "locks", "activity", "generations", "report --since 24h", "doctor", "backfills", "notify"]  # fmt: skip


@pytest.fixture
def named(leased: Leased, folder: Path) -> list[int]:
    """Runs in all that a job, a user or another program may have written."""
    leased("sync", "shop.py")
    with rows_in(f"sqlite:///{folder / 'leased.db'}") as rows:
        return list(_records(rows))


def _records(rows: Rows) -> Any:
    rows.replica(host=HOSTILE, blocked=HOSTILE, release=HOSTILE, seen_at=rows.now - MINUTE / 2)
    rows.schedule(NAME, paused_by=HOSTILE, paused_why=HOSTILE, paused_at=rows.now, trigger=f"cron {HOSTILE}")
    rows.schedule("late", next_due=rows.now - 9 * MINUTE, retired_by=HOSTILE)
    failed = rows.run(
        "failed", schedule=NAME, reason=LINE, requested_by=HOSTILE, requested_why=HOSTILE, trigger="manual"
    )
    waits = rows.run("pending", schedule=NAME, attempt=1, available_at=rows.now + 9 * MINUTE, lease_name=HOSTILE)
    works = rows.running(schedule="late", finish_by=rows.now - MINUTE)
    ended = {"cancelled_at": rows.now, "cancelled_by": HOSTILE, "cancelled_why": HOSTILE}
    cancelled = rows.run("cancelled", 7, schedule=NAME, reason=f"cancelled by {HOSTILE}: {HOSTILE}", **ended)
    overlapped = rows.run("skipped", 8, schedule=NAME, overlapped=failed, overlapped_by=HOSTILE)
    for run_id, state in ((failed, "failed"), (waits, "failed"), (works, "running")):
        rows.job(run_id, NAME, state, error=None if state == "running" else LINE, message=LINE)
    jobs = rows.connection.exec_driver_sql("SELECT id FROM job_run").scalars().all()
    rows.connection.execute(
        insert(job_output), [{"job_run_id": one, "start": 0, "line": 0, "text": LINE} for one in jobs]
    )
    done = {"acted_by": HOSTILE, "act": "trigger", "application": "shop", "why": HOSTILE, "effect": HOSTILE}
    rows.connection.execute(insert(act).values(acted_at=rows.now, schedule=NAME, **done))
    of = {"application": "shop", "schedule": NAME, "created_at": rows.now}
    asked = {"requested_by": HOSTILE, "requested_why": HOSTILE, "first": rows.now, "last": rows.now}
    rows.connection.execute(insert(backfill).values(**of, **asked, at_most=1, instants=3))
    sent = {"kind": "run.failed", "target": '{"command": "mail ops"}', "available_at": rows.now, "held": False}
    rows.connection.execute(insert(delivery).values(**of, **sent, attempts=1, error=HOSTILE))
    rows.connection.execute(
        update(schedule).where(schedule.c.name == "nightly").values(paused_by=HOSTILE, paused_at=rows.now)
    )
    rows.connection.exec_driver_sql("UPDATE lease SET label = ?", (HOSTILE,))
    return failed, waits, works, cancelled, overlapped


@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_written_about_it_is_printable_short_and_no_markup(
    leased: Leased, named: list[int], *, as_json: bool
) -> None:
    asked = [one.split() for one in READS] + [["why", NAME], ["why", "late"], ["status", NAME], ["runs", NAME]]
    asked += [[command, str(one)] for command in ("why", "show", "logs") for one in named]
    for arguments in asked:
        answer = leased(*arguments, *(["--json"] if as_json else []))
        assert answer.out, arguments
        assert arguments[0] not in {"backfills", "notify"} or "gnp.exe" in answer.out
        harmful = re.findall(r"[^\n\x20-\U0010ffff]|[\x7f-\x9f\u2028\u202e]", answer.out + answer.err)
        assert (arguments, harmful) == (arguments, [])
        if as_json:
            assert answer.document["schema"]
        else:
            assert arguments[0] not in SENTENCES or max(map(len, answer.out.splitlines())) < 2_000, arguments
    assert "[bold]x[/]" in leased("why", NAME).out
