"""A run marked as cancelled: no claim, no job, no retry and no hand-back brings it to life again (rule 23)."""

from typing import Literal

import pytest
from sqlalchemy import insert

import lease.statements
from daemon.execution.claim import ClaimedRun
from daemon.jobs.reports import Outcome
from daemon.operations.cancel import cancel
from daemon.operations.trigger import trigger
from daemon.recovery.settle import settle, settle_dead
from daemon.service.waking.idle_wait import read_agenda
from daemon.store.tables import replica, run
from tests.support.completion import (
    AlreadyDone,
    Done,
    EndedJob,
    Marked,
    begun,
    finish_job,
    finish_run,
    hand_back,
    retry_run,
    start_job,
)
from tests.support.store import PAST, Store, a_schedule

SUCCEEDED, FAILED, STOPPED = Outcome("succeeded"), Outcome("failed", "oh"), Outcome("stopped")
REASON = "cancelled by bob: it hangs"


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(a_schedule("daily", overlap="queue", jobs=("one", "two")))
    return store


@pytest.fixture
def marked(store: Store) -> ClaimedRun:
    """A run at work, marked as cancelled, with a successor that waits for it."""
    store.do(trigger, "shop", "daily", requested_by="ada")
    store.do(trigger, "shop", "daily", requested_by="ada")
    (claimed,) = store.claim("daily")
    return claimed


def mark(store: Store, claimed: ClaimedRun) -> None:
    assert store.do(cancel, claimed.run_id, requested_by="bob", why="it hangs").state == "running"


def over(store: Store, claimed: ClaimedRun, reason: str = REASON) -> bool:
    """Whether the run has ended as cancelled, whole: run, lease, and the successor is due."""
    row = store.run(claimed.run_id)
    return (
        (row.state, row.reason) == ("cancelled", reason)
        and row.finished_at is not None
        and store.lease(claimed.grant.name).holder is None
        and [one.run_id for one in store.claim("daily", holder="h2")] == [claimed.run_id + 1]
    )


@pytest.mark.parametrize("end", ["retry", "hand back"])
def test_a_marked_run_that_would_go_on_later_ends_as_cancelled_instead(
    store: Store, marked: ClaimedRun, end: Literal["retry", "hand back"]
) -> None:
    job = begun(store, marked)
    mark(store, marked)
    if end == "retry":
        answer = store.do(retry_run, marked, 5.0, job=EndedJob(job, FAILED))
    else:
        answer = store.do(hand_back, marked, job=EndedJob(job, STOPPED))
    assert answer == Done(cancelled=REASON)
    assert store.job_runs()[0].state == ("failed" if end == "retry" else "stopped")
    assert over(store, marked)


def test_the_mark_wins_over_a_failure(store: Store, marked: ClaimedRun) -> None:
    job = begun(store, marked)
    mark(store, marked)
    answer = store.do(finish_run, marked, "failed", "oh", job=EndedJob(job, FAILED), not_started=[("two", 1)])
    assert answer == Done(cancelled=REASON)
    assert [row.state for row in store.job_runs()] == ["failed", "not started"]
    assert over(store, marked)


def test_the_mark_wins_over_a_success_and_the_reason_says_that_the_work_is_done(
    store: Store, marked: ClaimedRun
) -> None:
    store.do(finish_job, marked, begun(store, marked), SUCCEEDED)
    job = begun(store, marked, "two", 1)
    mark(store, marked)
    told = f"{REASON}; by then all of its jobs had succeeded"
    assert store.do(finish_run, marked, "succeeded", job=EndedJob(job, SUCCEEDED)) == Done(cancelled=told)
    assert [row.state for row in store.job_runs()] == ["succeeded", "succeeded"]
    assert over(store, marked, told)


def test_an_end_whose_answer_was_lost_is_recognized_with_its_reason(store: Store, marked: ClaimedRun) -> None:
    job = EndedJob(begun(store, marked), STOPPED)
    mark(store, marked)
    store.do(hand_back, marked, job=job)
    before = store.everything()
    assert store.do(hand_back, marked, job=job) == AlreadyDone("cancelled", REASON)
    assert store.everything() == before


def test_no_job_of_a_marked_run_starts(store: Store, marked: ClaimedRun) -> None:
    store.do(finish_job, marked, begun(store, marked), SUCCEEDED)
    mark(store, marked)
    assert store.do(start_job, marked, "two", 1, 1) == Marked()
    assert [row.job for row in store.job_runs()] == ["one"]


def test_a_start_whose_answer_was_lost_is_recognized_although_the_run_was_marked_since(
    store: Store, marked: ClaimedRun
) -> None:
    job = begun(store, marked)
    mark(store, marked)
    assert store.do(start_job, marked, "one", 0, 1) == job


@pytest.mark.parametrize("how", ["died", "lost its lease", "proven dead"])
def test_a_marked_run_whose_holder_is_gone_is_settled_as_cancelled(store: Store, marked: ClaimedRun, how: str) -> None:
    begun(store, marked)
    mark(store, marked)
    match how:
        case "died":
            store.go_stale(marked.grant)
            settled = store.do(settle, "shop")
        case "lost its lease":
            assert store.do(lease.statements.release, marked.grant).released
            settled = store.do(settle, "shop")
        case _:
            settled = store.do(settle_dead, [marked.grant])
    assert [(one.run_id, one.outcome) for one in settled] == [(marked.run_id, "cancelled")]
    assert [row.state for row in store.job_runs()] == ["stopped" if how == "lost its lease" else "abandoned"]
    assert over(store, marked)


def put_back_by_an_earlier_version(store: Store, claimed: ClaimedRun) -> None:
    """Its replica knows no marks."""
    store.do(hand_back, claimed)
    old = {"holder": "an older one", "application": "shop", "host": "h", "pid": 1, "start_time": 1, "version": "0.1.0"}
    store.do(lambda c: c.execute(insert(replica).values(**old, state="running", started_at=PAST, seen_at=PAST)))
    mark_only = {"cancelled_at": run.c.created_at, "cancelled_by": "bob", "cancelled_why": "it hangs"}
    store.change(run, run.c.id == claimed.run_id, **mark_only)


def test_a_marked_run_that_waits_all_the_same_is_not_claimed_and_the_next_replica_that_looks_ends_it(
    store: Store, marked: ClaimedRun
) -> None:
    put_back_by_an_earlier_version(store, marked)
    assert store.claim("daily", holder="h2") == []
    agenda = store.do(read_agenda, "shop", store.known("daily"))
    assert (agenda.available, agenda.stranded) == (False, True)
    assert store.do(settle, "shop") == []
    assert over(store, marked)
    assert not store.do(read_agenda, "shop", store.known("daily")).stranded


def test_a_cancel_ends_a_marked_run_that_waits_all_the_same(store: Store, marked: ClaimedRun) -> None:
    put_back_by_an_earlier_version(store, marked)
    done = store.do(cancel, marked.run_id, requested_by="eve")
    assert (done.state, done.already, done.cancelled_by) == ("cancelled", False, "bob")
    assert over(store, marked)
