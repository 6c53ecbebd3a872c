"""A hostile record: what a job, a user or another program may have written, wherever they can."""

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import insert, update

import lease.schema
from daemon.definitions.schedule import write_schedule
from daemon.jobs.reports import LONGEST_ERROR, LONGEST_MESSAGE
from daemon.store.tables import act, backfill, delivery, generation, job_output, schedule
from tests.daemon.store.test_views import MINUTE, Rows, rows_in
from tests.support.store import a_schedule

HOSTILE = "<script>alert(1)</script>[red]x[/]\"'><img src=x onerror=alert(1)>{{7*7}}\x1b[2J\x1b]0;t\x07\u202egnp.exe\u2028\ufffd\x9b31m"
NAME = f"{HOSTILE}{'W' * 255}"[:255]
"""The name of a schedule, of an application and of a lease; as long as they get."""
APPLICATION = f"app {HOSTILE}"[:255]
LONG = f"first\r\n{HOSTILE}{'x' * 20_000}"
LINE = f"first\r\n{HOSTILE}{'x' * 1_000_000}\n"


def record(url: str, application: str = APPLICATION) -> list[int]:
    """Write it, and return its runs."""
    with rows_in(url) as rows:
        return list(_records(rows, application))


def _records(rows: Rows, application: str) -> Iterator[int]:
    definition = json.loads(write_schedule(a_schedule("x", tags=["t"], params={"note": None}, description="d")))
    hostile = definition | {
        "name": NAME,
        "tags": [HOSTILE, "T" * 500],
        "description": HOSTILE,
        "params": {HOSTILE: HOSTILE},
    }
    text = json.dumps(hostile)
    paused: dict[str, Any] = {"paused_by": HOSTILE, "paused_why": HOSTILE, "paused_at": rows.now}
    of: dict[str, Any] = {"application": application}
    for name, more in ((NAME, paused), ("W" * 255, {})):
        rows.schedule(name, definition=text, trigger=f"cron {HOSTILE}", **of, **more)
    rows.schedule("late", definition=text, next_due=rows.now - 9 * MINUTE, **of)
    for number in range(2):
        holder = f"{HOSTILE}{number}"
        rows.replica(holder, host=HOSTILE, blocked=HOSTILE, release=HOSTILE, seen_at=rows.now - MINUTE / 2, **of)
    asked: dict[str, Any] = {
        "requested_by": HOSTILE,
        "requested_why": HOSTILE,
        "trigger": "manual",
        "params": json.dumps({HOSTILE: LINE}),
    }
    ended: dict[str, Any] = {"cancelled_at": rows.now, "cancelled_by": HOSTILE, "cancelled_why": HOSTILE}
    failed = rows.run("failed", schedule=NAME, reason=LONG[:LONGEST_ERROR], attempt=2, **of, **asked)
    waits = rows.run("pending", schedule=NAME, attempt=1, available_at=rows.now - MINUTE, lease_name=NAME, **of)
    works = rows.running(schedule=NAME, finish_by=rows.now - MINUTE, **of)
    yield from (failed, waits, works)
    yield rows.run("cancelled", 7, schedule=NAME, reason=f"cancelled by {HOSTILE}: {HOSTILE}", **of, **ended)
    yield rows.run("skipped", 8, schedule=NAME, overlapped=failed, overlapped_by=HOSTILE, **of)
    for run_id, state in ((failed, "abandoned"), (failed, "failed"), (waits, "failed"), (works, "running")):
        said: dict[str, Any] = {
            "error": None if state == "running" else LONG[:LONGEST_ERROR],
            "message": LONG[:LONGEST_MESSAGE],
            "lost_why": HOSTILE,
            "release": HOSTILE,
        }
        attempt = 2 if (run_id, state) == (failed, "failed") else 1
        rows.job(run_id, f"{HOSTILE}{run_id}", state, attempt=attempt, done=10.0**30, total=10.0**40, **said)
    jobs = rows.connection.exec_driver_sql(
        "SELECT id FROM job_run WHERE error IS NOT NULL OR state = 'running'"
    ).scalars()
    rows.connection.execute(
        insert(job_output), [{"job_run_id": one, "start": 0, "line": 0, "text": LINE} for one in jobs]
    )
    done: dict[str, Any] = {
        "acted_by": HOSTILE,
        "why": HOSTILE,
        "effect": HOSTILE,
        "schedule": NAME,
        "acted_at": rows.now,
        **of,
    }
    rows.connection.execute(insert(act), [{"act": what, **done} for what in ("trigger", "pause", "cancel", "deploy")])
    rows.connection.execute(insert(backfill).values(**of, **_backfill(rows)))
    sent = {"kind": "run.failed", "target": '{"command": "mail ops"}', "available_at": rows.now, "held": False}
    failed_to = {"schedule": NAME, "created_at": rows.now, "attempts": 1, "error": HOSTILE}
    rows.connection.execute(insert(delivery).values(**of, **sent, **failed_to))
    for number, rules in ((1, False), (2, True)):
        rows.connection.execute(insert(generation).values(**of, **_generation(rows, number, rules=rules)))
    rows.connection.execute(update(lease.schema.lease).values(label=HOSTILE))
    rows.connection.execute(update(schedule).where(schedule.c.name == "late").values(retired_by=HOSTILE))


def _backfill(rows: Rows) -> dict[str, object]:
    times = {"first": rows.now - 90 * MINUTE, "last": rows.now, "created_at": rows.now}
    asked: dict[str, Any] = {"requested_by": HOSTILE, "requested_why": HOSTILE, "at_most": 1, "instants": 10**15}
    return {"schedule": NAME, **times, **asked}


def _generation(rows: Rows, number: int, *, rules: bool) -> dict[str, object]:
    changed = json.dumps({NAME: {HOSTILE: [HOSTILE, LINE[:5_000]], "cron": [None, HOSTILE]}})
    ruled = {"rules": rules, "in_lieu": False, "ruled_at": rows.now - 9 * MINUTE, "came_at": rows.now - 9 * MINUTE}
    said = {"digest": HOSTILE, "brought_by": HOSTILE, "changes": HOSTILE, "diff": changed, "run_digests": "{}"}
    return {"number": number, **ruled, **said}
