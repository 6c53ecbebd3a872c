"""A long history of which a part goes while three replicas are at work: they do not notice."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from sqlalchemy import Table, create_engine, exists, func, select, text

from daemon.store import migrations
from daemon.store.tables import job_run, pruned, run
from lease.database.dialects import Instant
from tests.support.postgres import PostgresServer
from tests.support.replicas import Story
from tests.support.starter import Starter
from tests.support.waiting import wait_until

from .history import Claims, LockWaits, Work, fill, settle, sizes

RUNS = int(os.environ.get("LEASED_TEST_RUNS") or "3000")
PRUNED = int(os.environ.get("LEASED_TEST_PRUNED") or "1000")
"""So many of them go; of more than a million SQLite has a tenth."""
IS_LARGE = RUNS >= 100_000
SCHEDULES = 100 if IS_LARGE else 4
ROUNDS = 20 if IS_LARGE else 3
PAIRS = 10 if IS_LARGE else 1
"""So often claims are measured without pruning, and beside it; then it goes on beside them to its end."""
PACE = 0.3
"""Seconds between two rounds of work when that has been measured: it need not fill the machine."""
LIMIT = 120.0 + PRUNED / 100
MOST = 1.2
"""Times as long as without pruning may a claim take, of large histories."""
CONFIG = ("full_page_writes = on", "shared_buffers = 128MB", "autovacuum_naptime = 5s")


@pytest.fixture(params=["sqlite", "postgres"])
def long_story(
    request: pytest.FixtureRequest, story_folder: Path, starter: Starter, sqlite_url: str
) -> Iterator[Story]:
    """A story on SQLite, and on a PostgreSQL of its own."""
    if request.param == "sqlite":
        with Story(story_folder, sqlite_url, starter) as told:
            yield told
        return
    programs = request.getfixturevalue("postgres_programs")
    with PostgresServer(programs, config=CONFIG, durable=IS_LARGE) as server:
        migrations.upgrade(server.url())
        with Story(story_folder, server.url(), starter) as told:
            yield told


@pytest.mark.timeout(600 + 4 * LIMIT)
@pytest.mark.proof
def test_a_history_goes_while_replicas_are_at_work_and_they_do_not_notice(long_story: Story) -> None:
    story, less = long_story, 10 if RUNS > 1_000_000 and long_story.engine.dialect.name == "sqlite" else 1
    runs, old = RUNS // less, PRUNED // less
    began = monotonic()
    fill(story.engine, SCHEDULES, runs, old)
    say(f"{runs:,} runs on {story.engine.dialect.name}, written in {monotonic() - began:.0f} s; {old:,} of them go")
    for _ in range(3):
        story.start(
            "pruning.py",
            "--concurrency=3",
            environment={"STORY_SCHEDULES": str(SCHEDULES), "STORY_PATIENCE": str(LIMIT)},
        )
    story.up()
    with Work(story, SCHEDULES) as work:
        assert_they_do_not_notice(story, work, runs, old)


def assert_they_do_not_notice(story: Story, work: Work, runs: int, old: int) -> None:
    work.measure(ROUNDS)
    before = sizes(story.engine)
    without, beside = Claims(), Claims()
    with LockWaits(story.engine) as waits:
        took = prune(story, work, without, beside, last_instants(story, old))
        wait_until(lambda: not is_there(story, old), "all are gone", limit=LIMIT)
    say(f"without pruning: {without}\nbeside it: {beside}")
    say(f"in {len(beside.rounds)} rounds of both the second was {beside.against(without):.2f} times the first")
    say(f"{old:,} runs gone in {took / 60:.1f} minutes of pruning; {waits}")

    added = work.runs
    assert count(story, run) == count(story, job_run) == runs - old + added, "what is kept is there"
    assert waits.of_pruner == {}, "the pruner waits for nobody, and nobody for it"
    settle(story.engine)
    after = sizes(story.engine)
    work.measure(ROUNDS)
    later = sizes(story.engine)
    say(f"sizes in MB before: {in_mb(before)}; after: {in_mb(after)}; after more work: {in_mb(later)}")
    tables = [name for name in after if "indexes" not in name]
    assert [later[name] for name in tables] == [after[name] for name in tables], (
        "what was pruned makes room for what comes"
    )
    if IS_LARGE:
        assert beside.against(without) <= MOST


def test_who_waits_on_account_of_pruning_is_seen(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    lock = text("SELECT CAST(pg_advisory_xact_lock(1) AS text)")
    with (
        ThreadPoolExecutor() as pool,
        engine.connect() as other,
        LockWaits(engine) as waits,
        engine.connect() as pruner,
    ):
        pruner.execute(text("SET LOCAL application_name = 'pruner'"))
        pruner.execute(lock)
        waiting = pool.submit(other.execute, lock)
        wait_until(lambda: waits.of_pruner, "somebody is seen to wait for it")
        pruner.commit()
        waiting.result()
    engine.dispose()


def prune(story: Story, work: Work, without: Claims, beside: Claims, end: list[datetime]) -> float:
    """Let the runs up to these instants go, and work beside that and, in turns with it, without; return for how
    many seconds runs were pruned.
    """
    took = 0.0
    while (so_far := pruned_until(story)) != end:
        is_measured = len(beside.rounds) < PAIRS
        if is_measured:
            (story.folder / "prune").unlink(missing_ok=True)
            without.add(work.measure(ROUNDS))
        began = monotonic()
        story.open("prune")
        if is_measured:
            wait_until(lambda: pruned_until(story) != so_far, "it is pruned", limit=LIMIT)
            beside.add(work.measure(ROUNDS))
        else:
            work.measure(1)
            Event().wait(PACE)
        took += monotonic() - began
    return took


def pruned_until(story: Story) -> list[datetime]:
    return [row.until for row in story.rows(select(pruned.c.until).order_by(pruned.c.schedule))]


def last_instants(story: Story, old: int) -> list[datetime]:
    """Return the last instant of each schedule that is no longer kept."""
    last = func.max(run.c.scheduled_for, type_=Instant()).label("last")
    query = select(last).where(run.c.id <= old).group_by(run.c.schedule).order_by(run.c.schedule)
    return [row.last for row in story.rows(query)]


def is_there(story: Story, old: int) -> bool:
    """Return whether any of the runs is there that are no longer kept."""
    return bool(story.rows(select(exists().where(run.c.id <= old)))[0][0])


def count(story: Story, table: Table) -> int:
    return int(story.rows(select(func.count()).select_from(table))[0][0])


def in_mb(sizes: dict[str, int]) -> str:
    return ", ".join(f"{table} {size / 1e6:,.1f}" for table, size in sizes.items())


def say(sentence: str) -> None:
    """Tell a figure, which `make proof NAME=prunes` shows."""
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()
