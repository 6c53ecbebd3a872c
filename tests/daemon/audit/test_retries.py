"""Runs that try others again, in the history: right as they are made, and named where what they claim is not true."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from daemon.audit import Promise
from daemon.operations.retry import retry
from daemon.operations.trigger import trigger
from daemon.store.tables import job_run, run
from tests.support.completion import finish_run
from tests.support.store import Store, a_schedule

from .histories import a_run, broken, said
from .story import audit, claim, fail, succeed, write

AGAIN = replace(a_run(2, 0), manual=True, retry_of=1)
FAILED = a_run(1, 0, state="failed")


def test_a_run_tried_again_once_after_its_end_is_right_also_when_it_is_pruned() -> None:
    assert broken([FAILED, replace(AGAIN, carried=("zones",), jobs=("zones", "orders"), succeeded={"orders": 1})]) == []
    assert broken([AGAIN]) == []


def test_what_a_retry_must_not_be_is_named() -> None:
    assert said([FAILED, AGAIN, replace(AGAIN, run=3)]).endswith("tries run 1 again, and so does run 3")
    assert said([a_run(1, 0, state="running"), AGAIN]).endswith("tries run 1 again, which is not over: running")
    assert "tries run 1 again, which is one of 'nightly' due at" in said(
        [FAILED, replace(AGAIN, first=a_run(1, 9).first)]
    )
    assert said([FAILED, replace(AGAIN, carried=("zones",), not_done=("zones",))]).endswith(
        'took over job "zones" as done, which no run before it has done'
    )
    assert broken([replace(AGAIN, carried=("zones",), succeeded={"zones": 1})]) == [Promise.EFFECTS]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Two jobs in three runs, each of which tries the one before again; tokens and holders differ."""
    with Store(database_url) as opened:
        opened.sync(a_schedule("nightly", jobs=("zones", "orders", "mail")))
        run_id = opened.do(trigger, "shop", "nightly", requested_by="ada")
        jobs = ("zones", "orders", "mail")
        for number, job in enumerate(jobs):
            claimed = claim(opened, "nightly", f"h{number}")
            succeed(opened, claimed, job, number)
            if job == "mail":
                opened.do(finish_run, claimed, "succeeded")
                break
            fail(opened, claimed, jobs[number + 1], number + 1)
            run_id = opened.do(retry, run_id, requested_by="ada").run_id
        yield opened


def test_the_history_of_retries_is_right(store: Store) -> None:
    assert [row.retry_of for row in store.runs()] == [None, 1, 2]
    assert [row.state for row in store.runs()] == ["failed", "failed", "succeeded"]
    assert audit(store.url) == []


def test_a_job_that_was_taken_over_although_it_was_never_done_is_named(store: Store) -> None:
    write(store, job_run, job_run.c.run_id == 1, job_run.c.job == "zones", state="failed")
    assert {violation.promise for violation in audit(store.url)} == {Promise.EFFECTS}
    assert 'took over job "zones" as done' in str(audit(store.url)[0])


def test_a_job_that_was_done_again_and_a_run_that_was_tried_again_twice_are_named(store: Store) -> None:
    write(store, job_run, job_run.c.run_id == 3, job_run.c.job == "mail", job="orders", attempt=2)
    assert 'job "orders" of run 3 of "shop/nightly" has succeeded 2 times' in "\n".join(map(str, audit(store.url)))
    store.do(lambda connection: connection.execute(text("DROP INDEX run_retry_key")))
    write(store, run, run.c.id == 3, retry_of=1)
    assert "tries run 1 again, and so does run 3" in "\n".join(map(str, audit(store.url)))
