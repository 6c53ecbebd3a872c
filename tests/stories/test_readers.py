"""Ten readers load the pages of a replica every second: its runs still start within `PUNCTUAL`, and how late is printed."""

import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import cycle
from typing import Any

import pytest
from sqlalchemy import ColumnElement, func, select

from daemon.store.tables import job_run, run
from daemon.web.pages.routes import PAGES
from lease.database.dialects import now
from tests.daemon.web.pages.addresses import filled
from tests.daemon.web.pages.test_many_runs import RUNS_EACH, SCHEDULES, failed, fill
from tests.support.replicas import Story
from tests.support.starvation import Starvation
from tests.support.store import Store
from tests.support.telling import boottime
from tests.support.waiting import wait_until

READERS = 10
TURNS, SPAN = (5, timedelta(seconds=10)) if SCHEDULES > 1_000 else (1, timedelta(seconds=3))
PUNCTUAL = 2.0
"""Seconds within which a run starts that is due."""


@pytest.mark.proof
@pytest.mark.timeout(20_000)
def test_runs_start_in_time_while_ten_readers_load_pages(story: Story, starvation: Starvation) -> None:
    with Store(story.url) as store:
        fill(store, SCHEDULES, RUNS_EACH)
        pages = [filled(page, "s00001", [failed(store)])[0] for page in PAGES]
    replica = story.start("punctual.py", "--concurrency=40", ttl="60s", web=True)
    story.up()
    late: dict[bool, list[float]] = {False: [], True: []}
    began = boottime()
    for page in pages:
        assert loaded(replica.page() + page) == 200
    span_of_runs(story)  # statements are compiled in it
    for _ in range(TURNS):
        late[False] += span_of_runs(story)
        with readers(replica.page(), pages) as answers:
            late[True] += span_of_runs(story)
        assert set(answers) == {200}
        sys.stdout.write(f"{len(answers)} pages; ")
    starved = starvation.between(began, boottime())
    alone, beside = ([sorted(one)[int(len(one) * share)] for share in (0.5, 0.95)] for one in late.values())
    kind = "PostgreSQL" if story.url.startswith("postgresql") else "SQLite"
    sys.stdout.write(
        f"{kind}: runs start {alone[0] * 1000:.0f} ms after they are due (p95 {alone[1] * 1000:.0f}), "
        f"beside {READERS} readers {beside[0] * 1000:.0f} ms (p95 {beside[1] * 1000:.0f})\n"
    )
    assert max(late[True]) < PUNCTUAL + starved


def span_of_runs(story: Story) -> list[float]:
    """Wait for the runs of a span of time, and return by how many seconds each started late."""
    begin = story.rows(select(now()))[0][0]
    end = begin + SPAN
    over = select(func.count()).where(of(end, end + timedelta(minutes=1)), run.c.finished_at.is_not(None))
    wait_until(lambda: story.rows(over)[0][0] >= 1, "the span is over", limit=60.0)
    started = select(func.min(job_run.c.started_at), run.c.scheduled_for).join(run, run.c.id == job_run.c.run_id)
    rows: Sequence[Any] = story.rows(started.where(of(begin, end)).group_by(run.c.id, run.c.scheduled_for))
    return [(at - due).total_seconds() for at, due in rows]


def of(begin: datetime, end: datetime) -> ColumnElement[bool]:
    return (run.c.application == "punctual") & (run.c.scheduled_for >= begin) & (run.c.scheduled_for < end)


@contextmanager
def readers(site: str, pages: list[str]) -> Iterator[list[int]]:
    """Load pages all the time during the block, each reader one a second."""
    answers, over = list[int](), threading.Event()

    def read(first: int) -> None:
        for page in cycle([*pages[first:], *pages[:first]]):
            answers.append(loaded(site + page))
            if over.wait(1.0):
                return

    threads = [threading.Thread(target=read, args=(number % len(pages),)) for number in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()


def loaded(address: str) -> int:
    with urllib.request.urlopen(address, timeout=60.0) as answer:  # noqa: S310 - our own server
        answer.read()
        return int(answer.status)
