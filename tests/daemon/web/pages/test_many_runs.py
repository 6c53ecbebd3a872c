"""Pages of a database with many schedules and runs: as many statements as of one with few, and no slower.

`make proof NAME=page` fills it with 5,000 schedules and 3 million runs, and prints how long each page takes.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from time import perf_counter
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, literal, select

from daemon.definitions.codec import write_schedule
from daemon.store.tables import replica, run, schedule
from daemon.web.api.asked import checked
from daemon.web.pages.page import Looker, Visit
from daemon.web.pages.routes import PAGES
from lease.database.dialects import now
from tests.daemon.web.pages.frames import served_pages, status_of, with_replica
from tests.support.asgi import asked
from tests.support.store import Store, a_schedule

from .addresses import filled

SCHEDULES, RUNS_EACH = (int(text) for text in os.environ.get("LEASED_TEST_PAGES", "120,20").split(","))
LOADS = 50
WEEK = timedelta(days=7)
STATES = ("succeeded",) * 17 + ("failed", "skipped", "succeeded")
TARGET = 0.3


def fill(store: Store, schedules: int, runs_each: int) -> None:
    """Write schedules, and runs of each over a week, the oldest first."""
    name = "s{:05}".format
    template = write_schedule(a_schedule("x", tags=["t"]))
    with_replica(store, "web-1")
    store.do(lambda connection: connection.execute(insert(schedule), _schedules(connection, template, name, schedules)))
    for number in range(runs_each):
        store.do(_add_runs, WEEK * (runs_each - number) / runs_each, STATES[number % len(STATES)])


def _schedules(
    connection: Connection, template: str, name: Callable[[int], str], schedules: int
) -> list[dict[str, Any]]:
    at = connection.execute(select(now())).scalar_one()
    times = dict.fromkeys(("planned_until", "anchor", "changed_at", "synced_at", "created_at"), at)
    same = {"application": "shop", "digest": "d", "trigger": "every 1h", "enabled": True, **times}
    return [
        {
            **same,
            "name": name(one),
            "next_due": at + timedelta(hours=1),
            "definition": json.dumps(json.loads(template) | {"name": name(one)}),
        }
        for one in range(schedules)
    ]


def _add_runs(connection: Connection, ago: timedelta, state: str) -> None:
    at = connection.execute(select(now())).scalar_one() - ago
    values: dict[str, Any] = {
        "scheduled_for": at,
        "trigger": "schedule",
        "state": state,
        "attempt": 0 if state == "skipped" else 1,
        "created_at": at,
        "finished_at": at + timedelta(seconds=40),
    }
    values |= {"started_at": at} if state != "skipped" else {}
    values |= {"reason": "overlap" if state == "skipped" else "job work exited 1"} if state != "succeeded" else {}
    rows = select(
        schedule.c.application,
        schedule.c.name,
        literal("run/shop/") + schedule.c.name,
        *(literal(value, run.c[column].type) for column, value in values.items()),
    )
    connection.execute(insert(run).from_select(["application", "schedule", "lease_name", *values], rows))


def statements(store: Store, page: Any, run_id: int) -> int:
    """Return how many statements a page sends besides those of the status, which all pages share."""
    status, sent = status_of(store), list[str]()
    path = {"application": "shop", "name": "s00001", "run_id": str(run_id)}
    given = {key: value for key, value in path.items() if f"{{{key}}}" in page.path}
    wanted = checked(page.asks, given)

    def read(connection: Connection) -> None:
        event.listen(connection, "before_cursor_execute", lambda *given: sent.append(given[2]))
        page.reads(connection, wanted, Visit(status, Looker(), 60.0))

    store.do(read)
    return len(sent)


def test_each_page_sends_no_more_statements_the_more_there_is(database_url: str) -> None:
    with Store(database_url) as store:
        fill(store, 3, 20)
        few = {page.name: statements(store, page, failed(store)) for page in PAGES}
        store.do(lambda connection: connection.execute(run.delete()))
        store.do(lambda connection: connection.execute(schedule.delete()))
        store.do(lambda connection: connection.execute(replica.delete()))
        fill(store, 110, 20)
        many = {page.name: statements(store, page, failed(store)) for page in PAGES}
    assert {name: (few[name], number) for name, number in many.items() if number > few[name]} == {}
    assert max(few.values()) <= 60


def failed(store: Store) -> int:
    """Return a run that failed."""
    query = select(run.c.id).where(run.c.state == "failed").limit(1)
    return int(store.do(lambda connection: connection.execute(query).scalar_one()))


@pytest.mark.extended
@pytest.mark.anyio
async def test_pages_are_quick(database_url: str) -> None:
    with Store(database_url) as store:
        await asyncio.to_thread(fill, store, SCHEDULES, RUNS_EACH)
        if not store.sqlite:
            store.do(lambda connection: connection.exec_driver_sql("ANALYZE"))
        run_id = failed(store)
    slow = {}
    with served_pages(database_url) as app:
        for page in PAGES:
            (address,) = filled(page, "s00001", [run_id])
            times = []
            for _ in range(LOADS if SCHEDULES > 1_000 else 5):
                began = perf_counter()
                answer = await asked(app, "GET", f"/{address}")
                times.append(perf_counter() - began)
                assert answer.status == 200
                await asyncio.sleep(0.05 + 3 * times[-1])  # the connections rest for so long
            p95 = sorted(times)[int(0.95 * len(times))]
            sys.stdout.write(
                f"{page.name}: p95 {p95 * 1000:.0f} ms, median {sorted(times)[len(times) // 2] * 1000:.0f} ms\n"
            )
            slow[page.name] = p95
    assert SCHEDULES < 1_000 or {name: p95 for name, p95 in slow.items() if p95 > TARGET} == {}
