"""The shop of the demo in a test: its past, and replicas that seem to run its schedules now."""

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from unittest.mock import patch

from sqlalchemy import Connection, insert, select, update

import lease.statements
from daemon.definitions.schedule import Schedule
from daemon.definitions.sources.load import load
from daemon.scheduling.deploys.sync import sync
from daemon.store.tables import job_output, job_run, replica, run, schedule
from lease.database.dialects import now as database_now
from tests.support.starter import ROOT
from tests.support.store import Store
from tools.demo.past import APPLICATION, PAUSED, add_due, fill

FILE = ROOT / "tools" / "demo" / "shop.py"
MINUTE = timedelta(minutes=1)
HOLDER = "web-1:4711"


def fill_shop(url: str) -> None:
    """Fill a database that has its tables: failures, a crash that was resumed, skipped and missed times, what runs and what
    waits, a pause.
    """
    with Store(url) as store:
        now = store.do(lambda connection: connection.execute(select(database_now())).scalar_one())
        with patch.dict(os.environ, SHOP_DEMO_BEGAN=now.isoformat()):
            application = load(FILE)
        defined = {each.name: each for each in application.schedules}
        store.do(sync, application)
        store.do(fill, defined, now)
        store.do(_present, defined, now)


def _present(connection: Connection, defined: Mapping[str, Schedule], now: datetime) -> None:
    for host, pid in (("web-1", 4711), ("web-2", 4712)):
        seen = {"started_at": now - 300 * MINUTE, "seen_at": now + 60 * MINUTE, "ready_at": now - 299 * MINUTE}
        known = {"holder": f"{host}:{pid}", "host": host, "pid": pid, "start_time": 1, "version": "0.2.0"}
        connection.execute(insert(replica).values(application=APPLICATION, state="running", **known, **seen))
    _runs(connection, defined["daily-full-sync"], now, 47 * MINUTE, job="stock", done=(8_120, 31_200), crashed=True)
    _runs(connection, defined["warehouse-export"], now, 41 * MINUTE, job="load", done=(38_400, 96_000))
    _runs(connection, defined["refresh-prices"], now, 2 * MINUTE, job="fetch", done=(410, 1_296))
    add_due(connection, defined["invoice-batch"], (now - 17 * MINUTE).replace(second=0, microsecond=0))
    connection.execute(
        update(schedule)
        .where(schedule.c.name == "newsletter-digest")
        .values(
            paused_at=now - PAUSED,
            paused_by="ann",
            paused_why="the template is being translated",
            paused_until=now + timedelta(days=2),
        )
    )


def _runs(
    connection: Connection,
    each: Schedule,
    now: datetime,
    since: timedelta,
    *,
    job: str,
    done: tuple[int, int],
    crashed: bool = False,
) -> None:
    """Let a run of a schedule be at work since then."""
    at = (now - since).replace(second=0, microsecond=0)
    run_id = add_due(connection, each, at)
    name = connection.execute(select(run.c.lease_name).where(run.c.id == run_id)).scalar_one()
    (grant,) = lease.statements.grant(connection, [name], HOLDER, 3_600.0)
    attempts = 2 if crashed else 1
    connection.execute(
        update(run)
        .where(run.c.id == run_id)
        .values(
            state="running",
            token=grant.token,
            holder=HOLDER,
            attempt=attempts,
            claimed_attempt=attempts,
            started_at=at + MINUTE / 60,
        )
    )
    for attempt in range(1, attempts + 1):
        lost = attempt < attempts
        began = at + MINUTE if attempt == 1 else now - 16 * MINUTE
        values = {
            "state": "abandoned" if lost else "running",
            "holder": "web-2:2688" if lost else HOLDER,
            "token": grant.token - attempts + attempt,
            "started_at": began,
            "finished_at": now - 16 * MINUTE if lost else None,
            "done": done[0],
            "total": done[1],
            "progress_at": now - MINUTE / 2,
        }
        made = insert(job_run).values(run_id=run_id, job=job, position=0, attempt=attempt, **values)
        job_id = connection.execute(made.returning(job_run.c.id)).scalar_one()
        lines = "".join(f"{number} of {done[1]}\n" for number in range(0, done[0], max(1, done[0] // 20)))
        connection.execute(insert(job_output).values(job_run_id=job_id, start=0, line=0, text=lines))
