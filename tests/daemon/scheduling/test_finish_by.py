"""The deadline of a run (`finish_by`): written with the run, told once when it has passed, and shown."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from daemon.operations.cancel import cancel
from daemon.operations.trigger import trigger
from daemon.store import statements
from daemon.store.tables import run, schedule
from daemon.store.views.history import read_run, read_runs
from daemon.store.views.overview import read_overview
from daemon.store.views.problems import Problem, problems
from daemon.text import when
from tests.support.store import PAST, Store, a_schedule, explained, pending_runs


def taken(store: Store) -> list[int]:
    return [row.id for row in store.do(statements.run.take_late, "shop")]


def late_run(store: Store, name: str = "sync", **settings: Any) -> int:
    """Return a run whose deadline has passed by an hour."""
    store.sync(a_schedule(name, finish_by="4h", **settings))
    run_id = store.do(trigger, "shop", name, requested_by="ada")
    store.shift(run, run.c.id == run_id, finish_by=-3600.0)
    return run_id


def test_the_run_of_an_instant_has_a_deadline_and_one_that_is_skipped_has_none(store: Store) -> None:
    hourly = a_schedule("hourly", catch_up="latest", finish_by="20m")
    store.sync(hourly)
    store.shift(schedule, planned_until=-7_300.0, anchor=-7_300.0, next_due=-3_700.0)
    store.plan(hourly)
    skipped, pending = store.runs()
    assert (skipped.state, skipped.finish_by) == ("skipped", None)
    assert (pending.state, pending.finish_by) == ("pending", pending.scheduled_for + timedelta(minutes=20))


def test_a_requested_run_has_a_deadline_that_counts_from_the_request_if_it_is_a_duration(store: Store) -> None:
    store.sync(a_schedule("soon", finish_by="4h"), a_schedule("daily", finish_by="06:00"), a_schedule("any"))
    soon, daily, any_ = (
        store.run(store.do(trigger, "shop", name, requested_by="ada")) for name in ("soon", "daily", "any")
    )
    assert soon.finish_by == soon.created_at + timedelta(hours=4)
    assert (daily.finish_by, any_.finish_by) == (None, None)


def test_a_run_that_is_late_to_finish_is_told_once(store: Store) -> None:
    run_id = late_run(store)
    in_time = store.do(trigger, "shop", "sync", requested_by="ada")
    (row,) = store.do(statements.run.take_late, "shop")
    assert (row.id, row.schedule, row.state, row.finish_by) == (run_id, "sync", "pending", store.run(run_id).finish_by)
    assert taken(store) == []
    assert store.run(run_id).late_at is not None
    assert store.run(in_time).late_at is None
    assert [row.id for row in store.do(statements.run.take_late, "another")] == []


def test_a_run_at_work_that_is_to_end_is_not_told_as_late(store: Store) -> None:
    """Somebody cancelled it, or a newer run replaces it: no success of it is expected any more."""
    run_id = late_run(store)
    store.claim("sync")
    store.do(cancel, run_id, requested_by="ada")
    assert store.run(run_id).state == "running"
    assert taken(store) == []
    assert not store.do(read_run, run_id).run.late_to_finish
    assert [problem for problem in problems(store.do(read_overview)) if problem.kind == "late to finish"] == []


def test_a_run_at_work_is_told_too(store: Store) -> None:
    run_id = late_run(store)
    store.claim("sync")
    assert taken(store) == [run_id]


def test_of_very_many_a_bounded_number_is_told_at_a_time_the_oldest_first(store: Store) -> None:
    many = a_schedule("many", overlap="queue")
    store.sync(many)
    pending_runs(store, many, statements.run.MOST_LATE + 1)
    ids = [row.id for row in store.runs()]
    for number, run_id in enumerate(ids):
        by = update(run).where(run.c.id == run_id).values(finish_by=PAST + timedelta(seconds=number))
        store.do(Connection.execute, by)
    assert taken(store) == ids[: statements.run.MOST_LATE]
    assert taken(store) == ids[statements.run.MOST_LATE :]


def test_a_run_that_another_transaction_has_locked_is_told_later(postgres: Store) -> None:
    """Rule 15: what does not lock in order waits for no row."""

    def take(connection: Connection) -> list[int]:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
        return [row.id for row in statements.run.take_late(connection, "shop")]

    run_id = late_run(postgres)
    with postgres.begin() as other:
        other.execute(select(run).where(run.c.id == run_id).with_for_update())
        assert postgres.do(take) == []
    assert postgres.do(take) == [run_id]


def test_runs_that_are_late_to_finish_are_found_by_their_index(sqlite_url: str) -> None:
    with Store(sqlite_url) as store, store.begin() as connection, explained(connection) as plans:
        statements.run.take_late(connection, "shop")
    steps = [step for _, plan in plans for step in plan]
    assert any("run_finish_by_idx (application=? AND finish_by" in step for step in steps)
    assert not [step for step in steps if step.startswith("SCAN run")]


def test_a_late_run_is_a_problem_and_shown_as_late(store: Store) -> None:
    run_id = late_run(store)
    store.do(trigger, "shop", "sync", requested_by="ada")
    since = when(store.run(run_id).finish_by)
    for state in ("pending", "running"):
        found = problems(store.do(read_overview))
        told = Problem(
            "late to finish",
            f"run {run_id} of sync should have succeeded by {since}",
            "shop",
            "sync",
            run_id,
            (f"leased show {run_id}",),
        )
        assert [problem for problem in found if problem.kind == "late to finish"] == [told]
        line = store.do(read_run, run_id).run
        assert (line.state, line.late_to_finish, line.finish_by) == (state, True, store.run(run_id).finish_by)
        if state == "pending":
            store.claim("sync", limit=1)
    assert [line.late_to_finish for line in store.do(lambda c: read_runs(c, limit=2))] == [False, True]


@pytest.mark.parametrize(
    ("state", "finished_after", "late"),
    [("succeeded", -60, False), ("succeeded", 60, True), ("failed", -60, True), ("cancelled", 60, False)],
)
def test_of_a_run_that_is_over_is_said_whether_it_succeeded_in_time_and_it_is_told_no_more(
    store: Store, state: str, finished_after: float, late: bool
) -> None:
    run_id = late_run(store)
    finished = store.run(run_id).finish_by + timedelta(seconds=finished_after)
    over = {"state": state, "reason": "a reason", "finished_at": finished, "available_at": None}
    store.change(run, run.c.id == run_id, **over)
    assert store.do(read_run, run_id).run.late_to_finish is late
    assert taken(store) == []
