"""A set writes for many runs in one transaction: each proves its own grant, and fails or delays no other (rule 15); and its
statements look each row up by its key.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

import lease.statements
from daemon.execution.claim import ClaimedRun, claim
from daemon.execution.writes.transactions import (
    AlreadyDone,
    Done,
    EndedJob,
    EndRun,
    FinishJob,
    NothingWritten,
    NotOurs,
    PassedOver,
    StartJob,
    Write,
    write_set,
)
from daemon.jobs.reports import Outcome
from daemon.operations.trigger import trigger
from daemon.store.tables import job_run, run, schedule
from lease.schema import lease as leases
from tests.support.store import TTL, Store, a_schedule, explained, pages_of

NAMES = ("a", "b", "c", "d")
WELL = Outcome("succeeded")


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(*(a_schedule(name) for name in NAMES))
    return store


@pytest.fixture
def postgres(postgres: Store) -> Store:
    postgres.sync(*(a_schedule(name) for name in NAMES))
    return postgres


def at_work(store: Store) -> list[tuple[ClaimedRun, int]]:
    """Return a claimed run of each schedule, in order, with the job run that was begun with the claim."""
    for name in NAMES:
        store.do(trigger, "shop", name, requested_by="ada")
    known = store.known(*NAMES)
    first_jobs = dict.fromkeys(NAMES, "work")
    claimed = store.do(claim, "shop", known, "h1", "label of h1", TTL, 10, first_jobs)
    return [(one, one.begun) for one in sorted(claimed, key=lambda one: one.schedule) if one.begun is not None]


def ends(runs: Sequence[tuple[ClaimedRun, int]]) -> list[Write]:
    return [EndRun(claimed, "succeeded", job=EndedJob(number, WELL)) for claimed, number in runs]


def written(store: Store, writes: Sequence[Write]) -> list[Any]:
    with store.begin() as connection:
        if not store.sqlite:  # a set that waits fails, and soon
            connection.exec_driver_sql("SET LOCAL lock_timeout = 2000")
        return write_set(connection, writes)


def states(store: Store) -> dict[str, tuple[str, str]]:
    """Return the states of the runs and of their attempts, by schedule."""
    query = select(run.c.schedule, run.c.state, job_run.c.state).join(job_run, job_run.c.run_id == run.c.id)
    return {row[0]: (row[1], row[2]) for row in map(tuple, store.rows(query))}


def test_the_first_attempts_are_recorded_with_the_claim_and_all_ends_in_one_set(store: Store) -> None:
    runs = at_work(store)
    assert states(store) == dict.fromkeys(NAMES, ("running", "running"))
    assert written(store, ends(runs)) == [Done()] * 4
    assert states(store) == dict.fromkeys(NAMES, ("succeeded", "succeeded"))
    assert [store.lease(f"run/shop/{name}").holder for name in NAMES] == [None] * 4


def test_each_write_of_a_set_gets_its_own_answer(store: Store) -> None:
    """Rule 10: neither a zombie nor a run that shows another grant than its lease ends, but their neighbours do; one whose
    answer was lost is known again.
    """
    runs = at_work(store)
    written(store, ends(runs[:1]))
    store.steal(runs[1][0].grant)
    store.change(run, run.c.schedule == "c", token=99)
    known, zombie, strange, done = written(store, ends(runs))
    assert (known, type(zombie), type(strange), done) == (AlreadyDone("succeeded"), NotOurs, NothingWritten, Done())
    assert states(store)["b"] == ("running", "running")
    assert store.lease("run/shop/c").holder == "h1"


def test_starts_and_ends_of_attempts_go_together(store: Store) -> None:
    store.sync(*(a_schedule(name, jobs=("work", "more")) for name in NAMES))
    runs = at_work(store)
    ended: list[Write] = [FinishJob(claimed, EndedJob(number, WELL)) for claimed, number in runs[:2]]
    store.steal(runs[1][0].grant)
    assert [type(answer) for answer in written(store, ended)] == [Done, NotOurs]
    starts: list[Write] = [StartJob(claimed, "more", 1, 1) for claimed, _ in runs[:2]]
    begun, refused, done = written(store, [*starts, *ends(runs[2:3])])
    assert (isinstance(begun, int), type(refused), type(done)) == (True, NotOurs, Done)
    assert written(store, starts[:1]) == [begun], "whose answer was lost"


def test_each_successor_becomes_due_in_the_set_that_ends_its_predecessor(store: Store) -> None:
    """Rule 14."""
    store.sync(*(a_schedule(name, overlap="queue") for name in NAMES))
    runs = at_work(store)
    for name in NAMES:
        store.do(trigger, "shop", name, requested_by="ada")
    waiting = [row.id for row in store.runs(run.c.state == "pending")]
    store.change(run, run.c.id.in_(waiting), available_at=None)
    written(store, ends(runs[:3]))
    due = {row.schedule for row in store.runs(run.c.state == "pending", run.c.available_at.is_not(None))}
    assert due == {"a", "b", "c"}


def _fence(connection: Connection, _runs: Sequence[tuple[ClaimedRun, int]]) -> None:
    name = "run/shop/b"
    connection.execute(select(leases.c.name).where(leases.c.name == name).with_for_update(read=True, key_share=True))


def _lock(table: Any, column: Any) -> Any:
    def lock(connection: Connection, runs: Sequence[tuple[ClaimedRun, int]]) -> None:
        claimed, number = runs[1]
        key = {"schedule": "b", "run": claimed.run_id, "job_run": number}[table.name]
        connection.execute(select(column).where(column == key).with_for_update(key_share=True))

    return lock


LOCKS = {
    "a fence": _fence,
    "its schedule": _lock(schedule, schedule.c.name),
    "its run": _lock(run, run.c.id),
    "its attempt": _lock(job_run, job_run.c.id),
}


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
def test_a_set_waits_for_no_row(postgres: Store, lock: Any) -> None:
    """Its neighbours end though one row is locked, and nothing of that one is written."""
    runs = at_work(postgres)
    with postgres.begin() as other:
        lock(other, runs)
        answers = written(postgres, ends(runs))
        assert answers == [Done(), PassedOver(), Done(), Done()]
        assert states(postgres)["b"] == ("running", "running")
    assert written(postgres, ends(runs[1:2])) == [Done()]


def test_of_a_set_that_waits_for_its_schedule_the_successor_becomes_due(postgres: Store) -> None:
    """The promotion sees what was committed by who had the schedule locked before."""
    postgres.sync(*(a_schedule(name, overlap="queue") for name in NAMES))
    runs = at_work(postgres)[:1]
    with postgres.begin() as planner:
        planner.execute(select(schedule).where(schedule.c.name == "a").with_for_update(key_share=True))
        assert written(postgres, ends(runs)) == [PassedOver()]
        waiting = trigger(planner, "shop", "a", requested_by="ada")
        planner.execute(update(run).where(run.c.id == waiting).values(available_at=None))
    assert written(postgres, ends(runs)) == [Done()]
    assert postgres.run(waiting).available_at is not None


def test_a_set_takes_as_many_statements_as_a_single_end(postgres: Store) -> None:
    """Claim with first attempts: four. Ends: eight. However many runs there are."""
    for name in NAMES:
        postgres.do(trigger, "shop", name, requested_by="ada")
    known = postgres.known(*NAMES)
    with postgres.sent() as of_claim:
        claimed = postgres.do(claim, "shop", known, "h1", None, TTL, 4, dict.fromkeys(NAMES, "work"))
    assert (len(claimed), len(of_claim)) == (4, 4)
    with postgres.sent() as of_ends:
        assert written(postgres, ends([(one, one.begun or 0) for one in claimed])) == [Done()] * 4
    assert len(of_ends) == 1 + 8, "with the limit of this test"


def test_a_zombie_that_holds_a_lease_no_more_keeps_no_first_attempt_from_being_recorded(store: Store) -> None:
    runs = at_work(store)
    written(store, ends(runs))
    for name in NAMES[:2]:
        store.do(trigger, "shop", name, requested_by="ada")
    store.do(lease.statements.grant, ["run/shop/a"], "another", TTL)
    known = store.known(*NAMES)
    claimed = store.do(claim, "shop", known, "h1", None, TTL, 10, dict.fromkeys(NAMES, "work"))
    assert [(one.schedule, one.begun is not None) for one in claimed] == [("b", True)]


# How many pages its statements read


SIZE = 100
MANY = [f"s{number:03}" for number in range(2 * SIZE)]
MOST = 100
"""Pages that a statement reads or writes for each row of the set, at most: it takes some 20, and pairs take 600."""


_HISTORY = """
    INSERT INTO run (application, schedule, scheduled_for, trigger, state, lease_name, digest, created_at, finished_at)
    SELECT 'shop', 's000', clock_timestamp(), 'manual', 'succeeded', 'run/shop/s000', 'a digest', clock_timestamp(),
           clock_timestamp()
    FROM generate_series(1, 3000)
"""


@pytest.mark.parametrize("is_analyzed", [False, True])
@pytest.mark.extended
def test_no_statement_of_a_set_pairs_each_row_with_each(postgres: Store, *, is_analyzed: bool) -> None:
    """With the grants of one holder, all under their first token, as after a start: these two say nothing of a row."""
    postgres.sync(*(a_schedule(name) for name in MANY))
    known, first_jobs = postgres.known(*MANY), dict.fromkeys(MANY, "work")
    postgres.do(lambda connection: connection.exec_driver_sql(_HISTORY))
    for _ in range(2):
        postgres.do(lambda connection: [trigger(connection, "shop", name, requested_by="ada") for name in MANY])
        for _ in range(2):
            with postgres.begin() as connection, explained(connection) as of_claim:
                claimed = claim(connection, "shop", known, "h1", None, TTL, SIZE, first_jobs)
            assert len(claimed) == SIZE
            with postgres.begin() as connection, explained(connection) as of_ends:
                write_set(
                    connection,
                    [EndRun(one, "succeeded", job=EndedJob(one.begun or 0, Outcome("succeeded"))) for one in claimed],
                )
            assert [sql for sql, plan in [*of_claim, *of_ends] if pages_of(plan) > MOST * SIZE] == []
        if is_analyzed:
            with postgres.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("ANALYZE")


@pytest.mark.parametrize("settings", [{}, {"lock": {"name": "api", "slots": 2}}, {"priority": "high"}])
def test_sqlite_goes_through_the_leases_of_no_holder_for_each_row_of_a_set(
    sqlite_url: str, settings: dict[str, Any]
) -> None:
    with Store(sqlite_url) as store:
        store.sync(a_schedule("s000", **settings))
        store.do(trigger, "shop", "s000", requested_by="ada")
        known = store.known("s000")
        with store.begin() as connection, explained(connection) as of_claim:
            (claimed,) = claim(connection, "shop", known, "h1", None, TTL, SIZE, {"s000": "work"})
        with store.begin() as connection, explained(connection) as of_end:
            end = EndRun(claimed, "succeeded", job=EndedJob(claimed.begun or 0, Outcome("succeeded")))
            write_set(connection, [end])
        steps = [step for _, plan in [*of_claim, *of_end] for step in plan]
        assert [step for step in steps if "lease_holder_idx" in step or step == "SCAN lease"] == []
        assert any("sqlite_autoindex_lease_1" in step for _, plan in of_claim for step in plan)
