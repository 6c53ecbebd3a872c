"""Writes of a holder prove their grant; an end is one transaction of lease, run and job run (rules 10, 14, 15 and 16)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

import lease.statements
from daemon.execution.claim import ClaimedRun
from daemon.execution.next_step import EarlierAttempts
from daemon.jobs.processes.identity import ProcessIdentity
from daemon.jobs.reports import Outcome, Piece, Progress
from daemon.operations.trigger import trigger
from daemon.recovery.settle import settle
from daemon.store import statements
from daemon.store.tables import run
from tests.support.completion import (
    AlreadyDone,
    Done,
    EndedJob,
    NothingWritten,
    NotOurs,
    begun,
    finish_job,
    finish_run,
    hand_back,
    record_keeper,
    retry_run,
    save_progress,
    start_job,
)
from tests.support.store import Store, a_schedule

SUCCEEDED = Outcome("succeeded", None, Piece(0, 0, "all went well"), 0)
FAILED = Outcome("failed", "no such table", Piece(0, 0, "trying"), 1)


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(a_schedule("daily", jobs=("one", "two", "three")))
    return store


@pytest.fixture
def claimed(store: Store) -> ClaimedRun:
    store.do(trigger, "shop", "daily", requested_by="ada")
    (one,) = store.claim("daily")
    return one


@pytest.mark.parametrize(
    "end", [hand_back, lambda connection, claimed: finish_run(connection, claimed, "failed", "no")]
)
def test_an_attempt_whose_beginning_nobody_heard_of_is_ended_with_its_run(
    store: Store, claimed: ClaimedRun, end: Callable[[Connection, ClaimedRun], object]
) -> None:
    begun(store, claimed)  # its reply is lost: the holder knows of no job run
    assert isinstance(store.do(end, claimed), Done)
    query = text("SELECT state, finished_at IS NOT NULL FROM job_run")
    assert [tuple(row) for row in store.do(lambda connection: connection.execute(query).all())] == [("stopped", True)]


ENDS: dict[str, Callable[[Connection, ClaimedRun, EndedJob], Done | AlreadyDone | NotOurs]] = {
    "finish": lambda connection, claimed, job: finish_run(connection, claimed, "succeeded", job=job),
    "retry": lambda connection, claimed, job: retry_run(connection, claimed, 60.0, job=job),
    "hand back": lambda connection, claimed, job: hand_back(connection, claimed, job=job),
}


def test_the_end_of_a_run_is_the_end_of_its_job_and_its_lease(store: Store, claimed: ClaimedRun) -> None:
    """Rule 15."""
    job = begun(store, claimed)
    assert store.do(finish_run, claimed, "succeeded", job=EndedJob(job, SUCCEEDED)) == Done()
    row, (job_row,), held = store.run(claimed.run_id), store.job_runs(), store.lease(claimed.grant.name)
    assert (row.state, row.reason, row.token, row.holder) == ("succeeded", None, 1, "h1")
    assert row.finished_at >= row.started_at
    assert (job_row.state, job_row.log_tail, job_row.exit_status) == ("succeeded", "all went well", 0)
    assert (held.holder, held.token) == (None, 1)


@pytest.mark.parametrize("end", ENDS)
def test_an_end_that_is_repeated_knows_its_own_success(store: Store, claimed: ClaimedRun, end: str) -> None:
    """Rule 15: the reply to the commit was lost."""
    job = EndedJob(begun(store, claimed), SUCCEEDED if end == "finish" else Outcome("stopped"))
    assert isinstance(store.do(ENDS[end], claimed, job), Done)
    before = store.everything()
    again = store.do(ENDS[end], claimed, job)
    assert again == AlreadyDone("succeeded" if end == "finish" else "pending")
    assert store.everything() == before


@pytest.mark.parametrize("end", ENDS)
def test_a_zombie_finishes_nothing(store: Store, claimed: ClaimedRun, end: str) -> None:
    """Rule 10: once another was granted the lease, no row of the three tables changes."""
    job = EndedJob(begun(store, claimed), SUCCEEDED)
    store.steal(claimed.grant)
    before = store.everything()
    answer = store.do(ENDS[end], claimed, job)
    assert isinstance(answer, NotOurs)
    assert "held by label of thief" in answer.who
    assert store.everything() == before


@pytest.mark.parametrize("end", ENDS)
def test_a_zombie_is_told_who_has_its_run_now(store: Store, claimed: ClaimedRun, end: str) -> None:
    job = EndedJob(begun(store, claimed), SUCCEEDED)
    store.go_stale(claimed.grant)
    store.do(settle, "shop")
    (successor,) = store.claim("daily", holder="h2")
    before = store.everything()
    answer = store.do(ENDS[end], claimed, job)
    assert answer == NotOurs(f"run {claimed.run_id} is running under token 2, held by label of h2")
    assert store.everything() == before
    assert isinstance(store.do(finish_run, successor, "succeeded"), Done)


def test_after_it_was_settled_nothing_counts_as_done_by_the_zombie(store: Store, claimed: ClaimedRun) -> None:
    store.go_stale(claimed.grant)
    store.do(settle, "shop")
    assert isinstance(store.do(hand_back, claimed), NotOurs)
    assert isinstance(store.do(finish_run, claimed, "succeeded"), NotOurs)


@pytest.mark.parametrize(
    "write",
    [
        lambda connection, claimed, job: start_job(connection, claimed, "two", 1, 1),
        lambda connection, claimed, job: record_keeper(connection, claimed, job, ProcessIdentity(1, 2)),
        lambda connection, claimed, job: finish_job(connection, claimed, job, SUCCEEDED),
    ],
    ids=["start a job", "record a keeper", "finish a job"],
)
def test_a_zombie_writes_nothing_in_between(
    store: Store, claimed: ClaimedRun, write: Callable[[Connection, ClaimedRun, int], Any]
) -> None:
    """Rule 10."""
    job = begun(store, claimed)
    store.steal(claimed.grant)
    before = store.everything()
    assert isinstance(store.do(write, claimed, job), NotOurs)
    store.do(save_progress, "h1", {job: Progress(1.0)})
    assert store.everything() == before


def test_a_lapsed_lease_that_nobody_was_granted_is_still_ours(store: Store, claimed: ClaimedRun) -> None:
    """Rule 11."""
    job = begun(store, claimed)
    store.go_stale(claimed.grant)
    assert isinstance(store.do(finish_job, claimed, job, SUCCEEDED), Done)
    assert isinstance(store.do(finish_run, claimed, "succeeded"), Done)


def test_of_a_completion_that_breaks_off_nothing_remains(store: Store, claimed: ClaimedRun) -> None:
    """Rule 15: all of lease, run and job run, or nothing."""
    job = begun(store, claimed)
    before = store.everything()
    with pytest.raises(NothingWritten):
        store.do(finish_run, claimed, "succeeded", job=EndedJob(job + 1000, SUCCEEDED))
    assert store.everything() == before
    assert isinstance(store.do(finish_run, claimed, "succeeded", job=EndedJob(job, SUCCEEDED)), Done)


@pytest.mark.parametrize("end", ENDS)
def test_a_run_that_shows_another_grant_than_the_lease_is_not_ended(
    store: Store, claimed: ClaimedRun, end: str
) -> None:
    """Rule 10: each table's write names the grant."""
    job = EndedJob(begun(store, claimed), SUCCEEDED)
    store.change(run, run.c.id == claimed.run_id, token=99)
    before = store.everything()
    with pytest.raises(NothingWritten):
        store.do(ENDS[end], claimed, job)
    assert store.everything() == before


def test_an_attempt_of_a_job_can_not_be_made_again(store: Store, claimed: ClaimedRun) -> None:
    job = begun(store, claimed)
    store.do(retry_run, claimed, 0.0, job=EndedJob(job, FAILED))
    (again,) = store.claim("daily")
    with pytest.raises(NothingWritten, match='attempt 1 of job "one" already exists'):
        store.do(start_job, again, "one", 0, 1)


def test_a_job_that_is_finished_twice_is_done_once(store: Store, claimed: ClaimedRun) -> None:
    job = begun(store, claimed)
    assert store.do(finish_job, claimed, job, SUCCEEDED) == Done()
    assert store.do(finish_job, claimed, job, SUCCEEDED) == AlreadyDone("succeeded")


def test_a_run_that_is_handed_back_goes_on_at_once_and_has_used_up_nothing(store: Store, claimed: ClaimedRun) -> None:
    """Rule 16."""
    job = begun(store, claimed)
    store.do(hand_back, claimed, "drained", job=EndedJob(job, Outcome("stopped", "the replica was told to end")))
    assert [row.state for row in store.job_runs()] == ["stopped"]
    assert (store.run(claimed.run_id).state, store.run(claimed.run_id).reason) == ("pending", "drained")
    (again,) = store.claim("daily", holder="h2")
    assert again.jobs == {"one": EarlierAttempts("stopped", failures=0, next_attempt=2)}
    assert (store.run(claimed.run_id).abandoned, store.run(claimed.run_id).reason) == (0, None)


def test_the_successor_is_due_in_the_same_transaction(store: Store, claimed: ClaimedRun) -> None:
    """Rule 14."""
    second, third = (store.do(trigger, "shop", "daily", requested_by="ada") for _ in range(2))
    with store.begin() as connection:
        assert isinstance(finish_run(connection, claimed, "failed", "because"), Done)
        row = statements.run.read(connection, second)
        assert row is not None
        assert row.available_at is not None
    assert store.run(third).available_at is None
    assert [one.run_id for one in store.claim("daily", holder="h2")] == [second]


def test_a_retry_lets_no_successor_pass(store: Store, claimed: ClaimedRun) -> None:
    """Rule 14: the schedule is still running."""
    second = store.do(trigger, "shop", "daily", requested_by="ada")
    store.do(retry_run, claimed, 60.0)
    assert store.run(second).available_at is None
    assert store.claim("daily", holder="h2") == []


def test_a_successor_waits_until_all_that_were_before_it_are_over(store: Store) -> None:
    """Rule 14: two ran at once while `overlap` was "allow"."""
    store.sync(a_schedule("daily", overlap="allow"))
    for _ in range(2):
        store.do(trigger, "shop", "daily", requested_by="ada")
    first, second = store.claim("daily")
    store.sync(a_schedule("daily", overlap="queue"))
    third = store.do(trigger, "shop", "daily", requested_by="ada")
    assert store.do(finish_run, first, "succeeded") == Done()
    assert store.run(third).available_at is None
    assert store.do(finish_run, second, "succeeded") == Done()
    assert [one.run_id for one in store.claim("daily", holder="h2")] == [third]


def test_a_run_triggered_while_its_predecessor_ends_is_never_forgotten(postgres: Store) -> None:
    """Rule 14: whichever of the two comes first."""
    postgres.sync(a_schedule("daily"))
    for _ in range(20):
        postgres.do(trigger, "shop", "daily", requested_by="ada")
        (claimed,) = postgres.claim("daily")
        with ThreadPoolExecutor(2) as pool:
            ending = pool.submit(postgres.do, finish_run, claimed, "succeeded")
            triggering = pool.submit(postgres.do, trigger, "shop", "daily", requested_by="ada")
            assert isinstance(ending.result(), Done)
            second = triggering.result()
        (next_,) = postgres.claim("daily")
        assert next_.run_id == second
        postgres.do(finish_run, next_, "succeeded")


def test_a_finish_waits_for_a_transaction_that_is_fenced_with_its_grant(postgres: Store) -> None:
    """Rule 11: and it is refused, whole, when that takes too long."""
    postgres.sync(a_schedule("daily"))
    postgres.do(trigger, "shop", "daily", requested_by="ada")
    (claimed,) = postgres.claim("daily")
    with postgres.begin() as connection:
        lease.statements.fence(connection, claimed.grant)
        with pytest.raises(OperationalError, match="lock timeout"):
            postgres.do(finish_run, claimed, "succeeded")
    assert isinstance(postgres.do(finish_run, claimed, "succeeded"), Done)


def test_progress_and_the_keeper_are_recorded(store: Store, claimed: ClaimedRun) -> None:
    job = begun(store, claimed)
    assert store.do(record_keeper, claimed, job, ProcessIdentity(4711, 99)) == Done()
    store.do(save_progress, "h1", {job: Progress(3.0, 10.0, "third\0 of ten")})
    (row,) = store.job_runs()
    assert (row.keeper_pid, row.keeper_start) == (4711, 99)
    assert (row.done, row.total, row.message) == (3.0, 10.0, "third\N{REPLACEMENT CHARACTER} of ten")
    store.do(finish_job, claimed, job, SUCCEEDED)
    store.do(save_progress, "h1", {job: Progress(9.0)})
    assert [row.done for row in store.job_runs()] == [3.0], "it is over"


def test_texts_that_no_database_takes_are_recorded_all_the_same(store: Store, claimed: ClaimedRun) -> None:
    job = begun(store, claimed)
    outcome = Outcome("failed", "\ud800 and \0", None, None, 9)
    store.do(finish_run, claimed, "failed", "\0", job=EndedJob(job, outcome))
    (row,) = store.job_runs()
    assert row.error == "? and \N{REPLACEMENT CHARACTER}"
    assert row.exit_signal == 9


def test_an_older_holder_of_the_same_name_can_not_end_a_later_tenure(store: Store, claimed: ClaimedRun) -> None:
    """Rule 6: name, token and holder."""
    store.do(retry_run, claimed, 0.0)
    (again,) = store.claim("daily", holder="h1")
    assert isinstance(store.do(finish_run, claimed, "succeeded"), NotOurs)
    assert store.run(claimed.run_id).state == "running"
    assert store.lease(again.grant.name).token == again.grant.token == 2
