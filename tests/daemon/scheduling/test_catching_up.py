"""However much was missed, a transaction is bounded, and what may start is claimed before the next (rule 13)."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, literal, null, select
from sqlalchemy.exc import DBAPIError

import lease.statements
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
from lease.timing import LeaseTiming
from tests.support.manual import ONE_O_CLOCK, a_loop, a_shop, add_schedule
from tests.support.store import Store, a_schedule
from tests.support.waiting import LIMIT

YEAR = timedelta(days=365)
MINUTES = 525_600
NOW = datetime(2026, 7, 1, tzinfo=UTC)
BEHIND = int(os.environ.get("LEASED_TEST_BEHIND", "3"))
LATE_RUNS = int(os.environ.get("LEASED_TEST_LATE_RUNS", "6000"))
MANY = 66_000
"""More than PostgreSQL takes as parameters of a statement, which is 65,535."""
SQLITES_LEAST = 999
"""The parameters that each SQLite takes: newer ones take 32,766, and Debian's 250,000."""


class Keys:
    """So many names, numbers, grants and stranded runs."""

    def __init__(self, count: int) -> None:
        self.numbers = range(count)
        self.names = [f"name {number}" for number in self.numbers]
        self.pairs = {("shop", name) for name in self.names}
        self.grants = [Grant(name, 1, "h") for name in self.names]
        self.stranded = [
            StrandedRun(number, "shop", "a", grant, ended=True, lived=True) for number, grant in enumerate(self.grants)
        ]


def a_year_behind(store: Store, *names: str) -> None:
    """As if nothing had been planned for a year, and half a minute more than that."""
    seconds = -YEAR.total_seconds()
    store.shift(schedule, schedule.c.name.in_(names), planned_until=seconds, anchor=seconds, next_due=seconds + 60)


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
        ((count,),) = store.rows(select(func.count()).select_from(run))
        before, made = made, count
        assert made - before <= ENOUGH_ROWS
        assert len(claimed) < BEHIND + 5
    assert claimed[0] == ["fresh"], "what is due just now waits for none that is behind"
    assert claimed[2], "nor does the first one behind wait for the others"
    assert sorted(name for names in claimed for name in names) == sorted(everyone)
    counts = func.sum(run.c["count"]).label("instants"), func.max(run.c["count"]).label("most")
    for row in store.rows(select(*counts).where(run.c.schedule != "fresh").group_by(run.c.schedule)):
        assert MINUTES <= row.instants <= MINUTES + 2
        assert row.most > MINUTES - 3_000


@pytest.mark.anyio
async def test_a_replica_that_has_more_to_plan_does_not_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MOST_SCHEDULES", 2)
    schedules = a_shop(catch_up="skip")
    for number in range(5):
        add_schedule(schedules, f"other{number}", catch_up="skip")
    resting = LeaseTiming("300s", renew_every="0.02s", retry_wait="100s")
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules, timing=resting) as replica:
        store.clock.advance("90m")
        loop = a_loop(replica)
        running = asyncio.create_task(loop.run())
        async with asyncio.timeout(LIMIT):
            while len(await replica.runs()) < 6:  # noqa: ASYNC110 - the loop has no event for what it has planned
                await asyncio.sleep(0.001)
        loop.drain()
        await running


STATEMENTS: dict[str, Callable[[Connection, Keys], object]] = {
    "schedules to lock": lambda c, k: statements.schedule.lock_free(c, k.pairs),
    "schedules that are due": lambda c, k: statements.schedule.due(c, "shop", 10, names=k.names),
    "schedules that are retired": lambda c, k: statements.schedule.retire(c, "shop", k.names, NOW, "generation 2"),
    "late runs": lambda c, k: statements.run.late(c, "shop"),
    "late runs to mark": lambda c, k: statements.run.mark_missed(c, "shop", k.names, 10),
    "runs to claim": lambda c, k: statements.claims.candidates(c, "shop", k.names, "h", k.names, 10),
    "runs to start": lambda c, k: statements.claims.start(c, k.numbers, "h"),
    "locks sought": lambda c, k: statements.agenda.waiting_for(c, "shop", k.names),
    "runs to cancel": lambda c, k: statements.run.end_marked(c, k.numbers),
    "runs that may be cancelled": lambda c, k: statements.run.find_told(c, k.numbers),
    "attempts": lambda c, k: list(statements.job_run.of_runs(c, k.numbers)),
    "replicas that died": lambda c, k: statements.replica.mark_dead(c, k.names),
    "dead replicas' runs": lambda c, k: statements.stranded.under(c, k.grants),
    "stranded runs to stop": lambda c, k: statements.stranded.stop_runs(c, k.stranded),
    "stranded runs to abandon": lambda c, k: statements.stranded.abandon_runs(c, k.stranded, 3, "why", "wait"),
    "stranded attempts": lambda c, k: statements.stranded.end_jobs(c, k.stranded, "stopped"),
    "leases to settle": lambda c, k: lease.statements.settle(c, k.grants),
    "leases of the dead": lambda c, k: lease.statements.end_dead(c, k.grants),
    "leases to release": lambda c, k: lease.statements.release_all(c, "h", k.names),
    "leases to read": lambda c, k: lease.statements.reading(k.names)(c),
    "queues": lambda c, k: lease.statements.read_queues(c, k.names),
    "usual durations": lambda c, k: usual_seconds(c, k.pairs),
}


@pytest.mark.sampled(1)
def test_no_statement_has_a_parameter_for_each_row(store: Store) -> None:
    keys = Keys(2 * SQLITES_LEAST if store.sqlite else MANY)

    def limited(connection: Connection, statement: Callable[[Connection, Keys], object]) -> None:
        if store.sqlite:  # as others have built it
            opened: Any = connection.connection.dbapi_connection
            opened.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, SQLITES_LEAST)
        statement(connection, keys)

    refused = []
    for name, statement in STATEMENTS.items():
        try:
            store.do(limited, statement)
        except DBAPIError as error:
            refused.append(f"{name}: {error.orig}")
    assert refused == []


def test_runs_that_were_not_started_in_time_are_marked_in_bounded_transactions(store: Store) -> None:
    late = a_schedule("late", Every(3600.0), start_within=60.0, overlap="allow")
    queued = a_schedule("queued", Every(3600.0), start_within=60.0, overlap="queue")
    store.sync(late, queued)
    add_late_runs(store, late, LATE_RUNS - 500)
    add_late_runs(store, queued, 500)
    fresh = store.do(trigger, "shop", "queued", requested_by="ada")
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
