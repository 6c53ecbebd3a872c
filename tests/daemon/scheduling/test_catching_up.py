"""However much was missed, a transaction is bounded, and what may start is claimed before the next (rule 13)."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Select, func, insert, literal, null, select
from sqlalchemy.exc import DBAPIError

import lease.statements
from daemon import Schedules
from daemon.definitions.schedule import Schedule
from daemon.definitions.triggers.trigger import Cron, Every
from daemon.operations.trigger import trigger
from daemon.scheduling import plan_due as planning
from daemon.scheduling.plan_due import ENOUGH_ROWS
from daemon.store import statements
from daemon.store.statements.stranded import StrandedRun
from daemon.store.tables import run, schedule
from daemon.store.views.usual import usual_seconds
from daemon.testing import ManualReplica, ManualStore
from lease.database.dialects import later, now
from lease.model import Grant
from tests.support.manual import ONE_O_CLOCK, nothing
from tests.support.store import Store, a_schedule

YEAR = timedelta(days=365)
MINUTES = 525_600
NOW = datetime(2026, 7, 1, tzinfo=UTC)
BEHIND = int(os.environ.get("LEASED_TEST_BEHIND", "3"))
LATE_RUNS = int(os.environ.get("LEASED_TEST_LATE_RUNS", "6000"))
MANY = 66_000
"""More than PostgreSQL and SQLite take as parameters of a statement, which is 65,535 and 32,766."""
NUMBERS = range(MANY)
NAMES = [f"name {number}" for number in NUMBERS]
GRANTS = [Grant(name, 1, "h") for name in NAMES]
STRANDED = [StrandedRun(n, "shop", "a", grant, ended=True, lived=True) for n, grant in enumerate(GRANTS)]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store(database_url) as opened:
        yield opened


def a_year_behind(store: Store, *names: str) -> None:
    """As if nothing had been planned for a year, and half a minute more than that."""
    seconds = -YEAR.total_seconds()
    store.shift(schedule, schedule.c.name.in_(names), planned_until=seconds, anchor=seconds, next_due=seconds + 60)


def rows_made(store: Store) -> int:
    (row,) = store.rows(select(func.count()).select_from(run))
    return int(row[0])


def test_schedules_a_year_behind_hold_up_neither_each_other_nor_another(store: Store) -> None:
    behind = [a_schedule(f"often{number}", Cron("* * * * *")) for number in range(BEHIND)]
    fresh = a_schedule("fresh", Every(20.0))
    everyone = [one.name for one in (*behind, fresh)]
    store.sync(*behind, fresh)
    a_year_behind(store, *(one.name for one in behind))
    store.shift(schedule, schedule.c.name == "fresh", planned_until=-30.0, anchor=-30.0, next_due=-10.0)
    claimed: list[list[str]] = []
    made, more = 0, True
    while more:
        more = store.plan(*behind, fresh).more
        claimed.append([one.schedule for one in store.claim(*everyone, limit=50)])
        before, made = made, rows_made(store)
        assert made - before <= ENOUGH_ROWS
        assert len(claimed) < BEHIND + 5
    assert claimed[0] == ["fresh"], "what is due just now waits for none that is behind"
    assert claimed[2], "nor does the first one behind wait for the others"
    assert sorted(name for names in claimed for name in names) == sorted(everyone)
    for row in store.rows(_counts()):
        assert MINUTES <= row.instants <= MINUTES + 2
        assert row.most > MINUTES - 3_000


def _counts() -> Select[Any]:
    counts = func.sum(run.c["count"]).label("instants"), func.max(run.c["count"]).label("most")
    return select(*counts).where(run.c.schedule != "fresh").group_by(run.c.schedule)


@pytest.mark.anyio
async def test_a_replica_that_was_away_for_a_year_claims_within_three_ticks() -> None:
    schedules = Schedules("shop")
    for number in range(BEHIND):
        schedules.add(f"often{number}", cron="* * * * *").job(name="work", timeout="1m")(nothing)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        store.clock.advance(YEAR.total_seconds())
        ticks = 0
        while not replica.replica.runs.claimed and not replica.replica.runs.executed:
            await replica.tick()
            ticks += 1
        assert ticks <= 3
        await replica.work()
        counts = await store.read(lambda connection: connection.execute(_counts()).all())
    assert [tuple(row) for row in counts] == [(MINUTES, MINUTES - 1_002)] * BEHIND


STATEMENTS: dict[str, Callable[[Connection], object]] = {
    "schedules to lock": lambda c: statements.schedule.lock_free(c, {("shop", name) for name in NAMES}),
    "schedules that are due": lambda c: statements.schedule.due(c, "shop", NAMES, 10),
    "schedules that are retired": lambda c: statements.schedule.retire(c, "shop", NAMES, NOW),
    "late runs": lambda c: statements.run.late(c, "shop", NAMES),
    "late runs to mark": lambda c: statements.run.mark_missed(c, "shop", NAMES, 10),
    "runs to claim": lambda c: statements.run.candidates(c, "shop", NAMES, "h", NAMES, 10),
    "runs to start": lambda c: statements.run.start(c, NUMBERS, "h"),
    "locks sought": lambda c: statements.agenda.waiting_for(c, "shop", NAMES),
    "runs to cancel": lambda c: statements.cancel.end_pending(c, NUMBERS),
    "runs that may be cancelled": lambda c: statements.cancel.find_marked(c, NUMBERS),
    "attempts": lambda c: list(statements.job_run.of_runs(c, NUMBERS)),
    "replicas that died": lambda c: statements.replica.mark_dead(c, NAMES),
    "dead replicas' runs": lambda c: statements.stranded.under(c, GRANTS),
    "stranded runs to stop": lambda c: statements.stranded.stop_runs(c, STRANDED),
    "stranded runs to abandon": lambda c: statements.stranded.abandon_runs(c, STRANDED, 3, "why", "wait"),
    "stranded attempts": lambda c: statements.stranded.end_jobs(c, STRANDED, "stopped"),
    "leases to settle": lambda c: lease.statements.settle(c, GRANTS),
    "leases of the dead": lambda c: lease.statements.end_dead(c, GRANTS),
    "leases to release": lambda c: lease.statements.release_all(c, "h", NAMES),
    "leases to read": lambda c: lease.statements.read(c, NAMES),
    "queues": lambda c: lease.statements.read_queues(c, NAMES),
    "usual durations": lambda c: usual_seconds(c, {("shop", name) for name in NAMES}),
}


def test_no_statement_has_a_parameter_for_each_row(store: Store) -> None:
    refused = []
    for name, statement in STATEMENTS.items():
        try:
            store.do(statement)
        except DBAPIError as error:
            refused.append(f"{name}: {error.orig}")
    assert refused == []


def test_runs_that_were_not_started_in_time_are_marked_in_bounded_transactions(store: Store) -> None:
    late = a_schedule("late", Every(3600.0), start_within=60.0, overlap="allow")
    queued = a_schedule("queued", Every(3600.0), start_within=60.0, overlap="queue")
    store.sync(late, queued)
    add_late_runs(store, late, LATE_RUNS - 500)
    add_late_runs(store, queued, 500)
    fresh = pending_runs_of(store, queued)
    transactions = 1
    while store.plan(late, queued).more:
        transactions += 1
    assert transactions <= LATE_RUNS / planning.MOST_LATE + 1
    assert store.rows(
        select(run.c.state, run.c.reason, func.count())
        .where(run.c.trigger == "schedule")
        .group_by(run.c.state, run.c.reason)
    ) == [("skipped", "missed", LATE_RUNS)]
    assert [one.run_id for one in store.claim("queued")] == [fresh]


def add_late_runs(store: Store, of: Schedule, count: int) -> None:
    numbers = select(literal(0).label("n")).cte(recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < count - 1))
    late = later(now(), -100.0)
    values = {
        "application": literal("shop"),
        "schedule": literal(of.name),
        "scheduled_for": later(now(), -1e6 + numbers.c.n),
        "trigger": literal("schedule"),
        "state": literal("pending"),
        "lease_name": literal(f"run/shop/{of.name}"),
        "available_at": late if of.overlap == "allow" else null(),
        "start_by": late,
        "digest": literal(of.run_digest()),
        "created_at": late,
    }
    store.do(lambda connection: connection.execute(insert(run).from_select(list(values), select(*values.values()))))


def pending_runs_of(store: Store, of: Schedule) -> int:
    """Request a run, which waits for those before it."""
    return store.do(trigger, "shop", of.name, requested_by="ada")
