"""A run tried again: once, from the first job that is not done, as the same occurrence (rules 16 and 23)."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Connection, delete

from daemon.errors import CannotAct, NotFound
from daemon.execution.claim import ClaimedRun
from daemon.execution.next_step import Resumption
from daemon.jobs.reports import Outcome
from daemon.operations.cancel import cancel
from daemon.operations.retry import (
    CarriedJob,
    NoRetry,
    RetriedBefore,
    Retry,
    RetryPlan,
    TriedRun,
    decide,
    retry,
)
from daemon.operations.trigger import trigger
from daemon.states import RunState
from daemon.store import statements
from daemon.store.statements.keeping import delete_runs
from daemon.store.tables import act, job_run, run
from daemon.store.views.history import read_run
from tests.support.completion import begun, finish_job, finish_run
from tests.support.store import Store, a_schedule, an_at

JOBS = ("fetch", "load", "report")
PARAMS = {"shop": 0}
DAILY = a_schedule("daily", jobs=JOBS, overlap="queue", params=PARAMS)


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(DAILY)
    return store


def ended(store: Store, done: Sequence[str] = ("fetch",), state: RunState = "failed", schedule: str = "daily") -> int:
    """Return a run that has done these jobs and ended in this state."""
    run_id = store.do(trigger, "shop", schedule, requested_by="ada", params={"shop": 7})
    end(store, schedule, done, state)
    return run_id


def end(
    store: Store, schedule: str = "daily", done: Sequence[str] = ("fetch",), state: RunState = "failed"
) -> ClaimedRun:
    (claimed,) = store.claim(schedule)
    for job in done:
        store.do(finish_job, claimed, begun(store, claimed, job, JOBS.index(job)), Outcome("succeeded"))
    if state == "cancelled":
        store.do(cancel, claimed.run_id, requested_by="bob")
    ended_as = state if state in ("succeeded", "failed") else "failed"
    store.do(finish_run, claimed, ended_as, None if state == "succeeded" else "no more shops")
    return claimed


def retried(store: Store, run_id: int, **settings: str) -> Retry:
    return store.do(retry, run_id, requested_by="bob", **settings)


def left(claimed: ClaimedRun) -> list[tuple[int, str]]:
    """Return the jobs that a claimed run is to do."""
    return [(position, job.name) for position, job in Resumption(DAILY, claimed.jobs).remaining()]


# The decision

FAILED = TriedRun(5, "daily", "failed", "no more shops", "d1", None, None, {"fetch": 11}, ("fetch", "load"))


def test_from_a_job_on_all_runs_again_whatever_was_done() -> None:
    done = replace(FAILED, state="succeeded", reason=None, done={"fetch": 11, "load": 12, "report": 13})
    assert decide(done, JOBS, "d1", "load") == RetryPlan(
        (CarriedJob("fetch", 11, 0),), ("load", "report"), (), redefined=False
    )
    assert decide(done, JOBS, "d1", "fetch") == RetryPlan((), JOBS, (), redefined=False)


@pytest.mark.parametrize(
    ("tried", "from_job", "said"),
    [
        (replace(FAILED, state="running"), None, 'run 5 of "daily" is running; wait until it ends'),
        (replace(FAILED, state="pending"), "load", 'run 5 of "daily" is pending; wait until it ends'),
        (replace(FAILED, state="succeeded"), None, "has succeeded; to run its jobs once more, use --from JOB"),
        (replace(FAILED, state="skipped", reason="overlap"), None, r"was skipped \(overlap\), so nothing ran"),
        (
            replace(FAILED, is_forgotten=True),
            None,
            "was forgotten, and its parameters were deleted; `leased trigger daily`",
        ),
        (FAILED, "laod", '"daily" has no job "laod"; did you mean "load"'),
        (FAILED, "report", 'job "load", which comes before "report", has not succeeded in run 5 .* from "load" on'),
        (replace(FAILED, done=dict.fromkeys(JOBS, 1)), None, "every job of run 5 .* has succeeded; --from JOB"),
    ],
)
def test_what_cannot_be_tried_again_says_why_and_what_to_do(tried: TriedRun, from_job: str | None, said: str) -> None:
    found = decide(tried, JOBS, "d1", from_job)
    assert isinstance(found, NoRetry)
    with pytest.raises(CannotAct, match=said):
        raise CannotAct(found.why)


def test_a_run_that_was_retried_names_the_one_that_counts_now() -> None:
    def after(state: RunState) -> object:
        return decide(replace(FAILED, retried_as=9, retried_state=state), JOBS, "d1")

    assert after("pending") == after("running") == RetriedBefore(9)
    assert after("failed") == NoRetry("run 5 was retried as run 9 (failed): retry that one")
    assert after("cancelled") == NoRetry("run 5 was retried as run 9 (cancelled): retry that one")
    assert after("succeeded") == NoRetry(
        "run 5 was retried as run 9 (succeeded): to run its jobs once more, retry that one with --from JOB"
    )


# In the database


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_retry_is_a_run_of_its_own_that_resumes_at_the_first_job_that_is_not_done(
    store: Store, state: RunState
) -> None:
    before = ended(store, state=state)
    made = retried(store, before, why="the disk is there again")
    assert (made.retry_of, made.cause, made.already, made.waits) == (before, "retry", False, False)
    assert (made.carried, made.jobs, made.gone, made.redefined) == (["fetch"], ("load", "report"), (), False)
    old, new = store.run(before), store.run(made.run_id)
    assert (new.retry_of, new.trigger, new.state) == (before, "manual", "pending")
    assert (new.params, new.scheduled_for, new.digest) == (old.params, old.scheduled_for, old.digest)
    assert (new.requested_by, new.requested_why) == ("bob", "the disk is there again")
    (claimed,) = store.claim("daily")
    assert (claimed.run_id, claimed.begun) == (made.run_id, None)
    assert left(claimed) == [(1, "load"), (2, "report")]
    (row,) = store.rows(act.select().where(act.c.act == "retry"))
    assert (row.acted_by, row.application, row.schedule, row.run_id) == ("bob", "shop", "daily", before)
    assert (row.why, row.effect) == ("the disk is there again", f"as run {made.run_id}")


@pytest.mark.on_both
def test_what_was_carried_over_is_shown_with_the_run_that_did_it(store: Store) -> None:
    first = ended(store)
    second = retried(store, first).run_id
    end(store, done=("load",))
    third = retried(store, second).run_id
    detail = store.do(read_run, third)
    assert [(one.job, one.state, one.carried_from) for one in detail.jobs] == [
        ("fetch", "succeeded", first),
        ("load", "succeeded", second),
    ]
    assert (detail.run.cause, detail.run.retry_of, detail.run.retried_as) == ("retry", second, None)
    middle = store.do(read_run, second).run
    assert (middle.retry_of, middle.retried_as) == (first, third)
    assert middle.retries_in_words == f"retry of run {first}, retried as run {third}"
    assert left(store.claim("daily")[0]) == [(2, "report")]


def test_a_retry_of_a_retry_is_the_first_run_s_occurrence_also_when_that_is_gone(store: Store) -> None:
    first = ended(store)
    second = retried(store, first).run_id
    assert end(store, done=()).occurrence == first
    retried(store, second)
    store.do(lambda connection: connection.execute(delete(job_run).where(job_run.c.run_id.in_([first, second]))))
    store.do(lambda connection: connection.execute(delete(run).where(run.c.id.in_([first, second]))))
    (claimed,) = store.claim("daily")
    assert claimed.occurrence == first


def test_a_retry_of_a_due_instant_is_that_instant_s_occurrence_and_leaves_it_accounted_for_once(store: Store) -> None:
    once = an_at(jobs=JOBS)
    store.sync(once)
    store.plan(once)
    (before,) = store.runs()
    assert end(store, "once").occurrence == before.scheduled_for
    second = retried(store, before.id).run_id
    assert end(store, "once", done=()).occurrence == before.scheduled_for
    retried(store, second)
    (claimed,) = store.claim("once")
    assert (claimed.occurrence, claimed.scheduled_for) == (before.scheduled_for, before.scheduled_for)
    assert [row.trigger for row in store.runs()] == ["schedule", "manual", "manual"]


def test_a_retry_waits_behind_what_is_not_over_and_starts_after_it(store: Store) -> None:
    before = ended(store)
    running = store.do(trigger, "shop", "daily", requested_by="ada")
    (claimed,) = store.claim("daily")
    made = retried(store, before)
    assert (claimed.run_id, made.waits) == (running, True)
    assert store.claim("daily") == []
    store.do(finish_run, claimed, "failed", "a reason")
    assert [one.run_id for one in store.claim("daily")] == [made.run_id]


def test_under_overlap_allow_a_retry_waits_for_nobody_and_has_a_lease_of_its_own(store: Store) -> None:
    store.sync(DAILY, a_schedule("free", jobs=JOBS, overlap="allow", params=PARAMS))
    before = ended(store, schedule="free")
    store.do(trigger, "shop", "free", requested_by="ada")
    made = retried(store, before)
    assert not made.waits
    assert store.run(made.run_id).lease_name == f"run/shop/free/{made.run_id}"


def test_the_second_retry_does_nothing_and_says_so(store: Store) -> None:
    before = ended(store)
    made = retried(store, before, why="first")
    rows = store.everything()
    again = store.do(retry, before, requested_by="eve", why="second")
    assert (again.run_id, again.already, again.requested_by, again.requested_why) == (made.run_id, True, "bob", "first")
    assert (again.carried, again.jobs) == (["fetch"], None)
    assert store.everything() == rows
    end(store, done=())
    with pytest.raises(CannotAct, match=rf"run {before} was retried as run {made.run_id} \(failed\): retry that one"):
        retried(store, before)


def test_of_two_retries_at_once_one_makes_a_run_and_both_are_told_of_it(store: Store) -> None:
    ids = [ended(store) for _ in range(10)]
    together = Barrier(2)

    def each(run_id: int) -> Retry:
        together.wait()
        return retried(store, run_id)

    with ThreadPoolExecutor(2) as pool:
        for run_id in ids:
            one, other = pool.map(each, [run_id, run_id])
            assert one.run_id == other.run_id
            assert sorted([one.already, other.already]) == [False, True]
    assert [row.retry_of for row in store.runs(run.c.retry_of.is_not(None))] == ids
    assert len(store.rows(act.select().where(act.c.act == "retry"))) == len(ids)


@pytest.mark.on_both
def test_what_is_pruned_while_a_retry_looks_is_no_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before, _ = ended(store), ended(store)
    read = statements.run.read

    def prune_then(connection: Connection, run_id: int) -> Any:
        row = read(connection, run_id)
        assert delete_runs(connection, "shop", "daily", [before]) == 1
        return row

    monkeypatch.setattr(statements.run, "read", prune_then)
    with pytest.raises(NotFound, match=f"run {before} does not exist"):
        retried(store, before)


def test_what_was_done_is_not_pruned_before_it_is_carried_over(
    postgres: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be done once more."""
    postgres.sync(DAILY)
    before, _ = ended(postgres), ended(postgres)
    carry = statements.retries.carry

    def prune_first(connection: Connection, rows: Any) -> None:
        assert postgres.do(delete_runs, "shop", "daily", [before]) == 0
        carry(connection, rows)

    monkeypatch.setattr(statements.retries, "carry", prune_first)
    assert retried(postgres, before).carried == ["fetch"]


def test_a_changed_definition_rules_the_retry_and_the_answer_says_so(store: Store) -> None:
    before = ended(store, done=("fetch", "load"))
    store.sync(a_schedule("daily", jobs=("check", "load"), overlap="queue"))
    made = retried(store, before)
    assert (made.redefined, made.carried, made.jobs, made.gone) == (True, ["load"], ("check",), ("fetch",))
    assert store.run(made.run_id).digest == store.schedules()["daily"].run_digest
    (claimed,) = store.claim("daily")
    assert [*claimed.jobs] == ["load"]
    assert [(row.job, row.position) for row in store.job_runs() if row.run_id == made.run_id] == [("load", 1)]


def test_a_retry_of_a_retired_schedule_is_refused(store: Store) -> None:
    before = ended(store)
    store.sync()
    rows = store.everything()
    with pytest.raises(
        CannotAct, match=f'the schedule "daily" was retired by a deploy at .*; define it again to retry run {before}'
    ):
        retried(store, before)
    assert store.everything() == rows


def test_a_run_that_does_not_exist_is_refused(store: Store) -> None:
    with pytest.raises(NotFound, match="run 4711 does not exist"):
        retried(store, 4711)
