"""A database with runs of each state, one that crashed and was resumed among them, and hostile text wherever it may be."""

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select, update

from daemon.store.tables import job_output, job_run, run
from lease import statements
from lease.schema import lease
from tests.daemon.store.test_views import MINUTE, Rows, rows_in
from tests.support.store import a_schedule

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31mred\x1b]0;title\x07\u202egnp.exe"
LONG_NAME = "nightly-" + "x" * 247
SECOND = timedelta(seconds=1)
ZONE = "Europe/Berlin"


def runs_of_each_state(url: str) -> dict[str, int]:
    """Put them into an empty database; return their ids by what they are."""
    with rows_in(url) as rows:
        _schedules(rows)
        for days in range(12, 0, -1):
            _succeeded(rows, days)
        return {
            "crashed": _crashed(rows),
            "failed": _failed(rows),
            "succeeded": _succeeded(rows, 13),
            "skipped": rows.run("skipped", 55, schedule="hourly", overlapped=1, overlapped_by="web-3:88"),
            "missed": _missed(rows),
            "cancelled": _cancelled(rows),
            "waiting": _waiting(rows),
            "unstarted": rows.run("pending", 1, schedule="hourly"),
            "hostile": _hostile(rows),
        }


def _schedules(rows: Rows) -> None:
    jobs = ("customers", "orders", "stock", "prices")
    definitions: dict[str, dict[str, Any]] = {
        "daily-full-sync": {"jobs": jobs, "params": {"since": "x", "erp_key": None}, "secrets": ["erp_key"]},
        "hourly": {"jobs": ("push",)},
        "reports": {"jobs": ("build", "mail")},
    }
    for name, settings in definitions.items():
        made = a_schedule(name, timezone=ZONE, **settings)
        rows.schedule(name, definition=json.dumps(made.canonical()), run_digest=made.run_digest())
    rows.schedule(LONG_NAME, application=HOSTILE[:60])
    rows.replica("replica-1", "dead", host="web-1", pid=11, seen_at=rows.now - 16 * MINUTE, stopped_at=rows.now)
    rows.replica("replica-2", host="web-2", pid=22)


def _job(rows: Rows, run_id: int, job: str, state: str, minutes: tuple[float, float | None], **values: Any) -> int:
    """Add an attempt, from so many minutes ago to so many."""
    begun, ended = minutes
    over = None if ended is None else rows.now - ended * MINUTE
    rows.job(run_id, job, state, started_at=rows.now - begun * MINUTE, finished_at=over, **values)
    return int(rows.connection.execute(select(job_run.c.id).order_by(job_run.c.id.desc()).limit(1)).scalar_one())


def _print(rows: Rows, job: int, *pieces: tuple[float, str]) -> None:
    """Add output, of each piece how many minutes ago it was saved."""
    start = line = 0
    for minutes, text in pieces:
        saved_at = rows.now - minutes * MINUTE
        values = {"job_run_id": job, "start": start, "line": line, "text": text, "saved_at": saved_at}
        rows.connection.execute(insert(job_output).values(values))
        start, line = start + len(text.encode()), line + text.count("\n")


def _succeeded(rows: Rows, days: int) -> int:
    ago = days * 24 * 60.0
    run_id = rows.run(
        "succeeded",
        ago,
        schedule="daily-full-sync",
        attempt=1,
        finished_at=rows.now - (ago - 46 - days % 4) * MINUTE,
    )
    begun = ago
    for position, (job, took) in enumerate((("customers", 10.0), ("orders", 17.0), ("stock", 14.0), ("prices", 5.0))):
        where = {"position": position, "holder": "replica-2", "token": 100 + days}
        _print(rows, _job(rows, run_id, job, "succeeded", (begun, begun - took), **where), (begun - 1, "done\n"))
        begun -= took
    return run_id


def _crashed(rows: Rows) -> int:
    """The run of the picture: its replica died in the third of four jobs, and another goes on with that."""
    run_id = rows.run(
        "running",
        47,
        schedule="daily-full-sync",
        attempt=2,
        token=913,
        holder="replica-2",
        lease_name="run/shop/daily-full-sync",
        params='{"since": "last-success", "erp_key": "hunter2"}',
    )
    at = {"token": 912, "holder": "replica-1"}
    _print(rows, _job(rows, run_id, "customers", "succeeded", (47, 37.5), position=0, **at), (38, "all customers\n"))
    _job(rows, run_id, "orders", "succeeded", (37.4, 19.2), position=1, **at)
    ended = {"renewed_at": rows.now - 16.1 * MINUTE, "exit_signal": 9, "peak_memory": 2 * 10**9}
    lost = _job(rows, run_id, "stock", "abandoned", (19, 15.9), position=2, **ended, **at)
    _print(rows, lost, (18, "fetching deltas\n31 200 rows in 78 chunks of 400\n"), (16, "chunk 2/78\nchunk 3/78\n"))
    on = {"token": 913, "holder": "replica-2", "attempt": 2, "done": 12840, "total": 31200, "message": "rows"}
    goes_on = _job(rows, run_id, "stock", "running", (15.75, None), position=2, progress_at=rows.now, **on)
    lines = [f"chunk {number}/1412 of 31 200 rows, {number % 7}.{number % 10}/s\n" for number in range(1, 1400)]
    pieces = [(15.5 - number / 100, "".join(lines[number : number + 10])) for number in range(0, 1400, 10)]
    _print(rows, goes_on, *pieces, (0.1, "\x1b[33mwarning\x1b[0m: article 40-118-22 has no warehouse\nchunk 1412"))
    name = "run/shop/daily-full-sync"
    rows.connection.execute(insert(lease).values(name=name, token=912))
    statements.grant(rows.connection, [name], "replica-2", 3600)
    moments = {"granted_at": rows.now - 15.8 * MINUTE, "renewed_at": rows.now - SECOND}
    rows.connection.execute(update(lease).values(**moments))
    return run_id


def _failed(rows: Rows) -> int:
    why = "push failed: TimeoutError: no answer after 30 s"
    run_id = rows.run("failed", 120, schedule="hourly", attempt=2, reason=why, finish_by=rows.now - 100 * MINUTE)
    error = f"Traceback (most recent call last):\n  …\nTimeoutError: no answer after 30 s, {HOSTILE}"
    for attempt, begun in ((1, 120.0), (2, 118.0)):
        job = _job(
            rows,
            run_id,
            "push",
            "failed",
            (begun, begun - 1),
            attempt=attempt,
            exit_status=1,
            error=error,
            peak_memory=81 * 2**20,
        )
        _print(rows, job, (begun - 1, f"POST https://erp.example.com/v2\n\x1b[1;31mTimeoutError\x1b[0m {attempt}\n"))
    return run_id


def _missed(rows: Rows) -> int:
    many = {"count": 1234, "last_scheduled_for": rows.now - 60 * MINUTE, "away_from": rows.now - 21 * 60 * MINUTE}
    return rows.run("skipped", 20 * 60, schedule="hourly", reason="missed", **many)


def _cancelled(rows: Rows) -> int:
    marked = {"cancelled_at": rows.now - 30 * MINUTE, "cancelled_by": "ann@web-1", "cancelled_why": "wrong month"}
    asked = {"trigger": "manual", "requested_by": "ci@runner-7", "requested_why": "month end"}
    reason = "cancelled by ann@web-1: wrong month"
    run_id = rows.run("cancelled", 35, schedule="reports", attempt=1, reason=reason, **marked, **asked)
    _job(rows, run_id, "build", "stopped", (35, 30), holder="replica-2", exit_signal=15)
    return run_id


def _waiting(rows: Rows) -> int:
    retry = {"available_at": rows.now + 5 * MINUTE, "attempt": 1, "started_at": rows.now - 6 * MINUTE}
    run_id = rows.run("pending", 6, schedule="reports", **retry)
    _job(rows, run_id, "build", "failed", (6, 5), exit_status=3, error="ValueError: no rows")
    return run_id


def _hostile(rows: Rows) -> int:
    texts = {"reason": HOSTILE, "requested_by": HOSTILE, "requested_why": HOSTILE, "params": '{"a<b>": "<script>"}'}
    of = {"application": HOSTILE[:60], "schedule": LONG_NAME}
    run_id = rows.run("failed", 3, trigger="manual", attempt=1, **of, **texts)
    job = _job(rows, run_id, HOSTILE, "failed", (3, 2), error=HOSTILE, exit_signal=64, message=HOSTILE, done=1, total=0)
    _print(rows, job, (2, f"{HOSTILE}\r\b\x00{'y' * 1_000_000}\n\ufffd{HOSTILE}\nthe last line".replace("\x00", "")))
    rows.connection.execute(update(run).where(run.c.id == run_id).values(finished_at=rows.now - 2 * MINUTE))
    return run_id
