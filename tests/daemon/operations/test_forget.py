"""What must not be kept of a run is deleted, and that the run was stays (rules 13 and 23)."""

import pytest
from sqlalchemy import Connection, Row, insert, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from daemon.errors import CannotAct, DaemonError, NotFound
from daemon.execution.writes.transactions import EndedJob
from daemon.jobs.reports import Outcome
from daemon.operations.cancel import cancel
from daemon.operations.forget import foreseen, forget
from daemon.operations.retry import plan_retries, retry, write_retries
from daemon.operations.trigger import trigger
from daemon.store.tables import act, job_output, job_run, run
from daemon.store.views.history import read_run
from lease.database.address import parse_address
from lease.database.backend import ConnectionSettings
from lease.database.connections import connected
from tests.daemon.audit.story import audit
from tests.support.completion import begun, finish_run
from tests.support.store import PAST, Store, a_schedule

SECRET = "ada lovelace"
"""What must be nowhere when it was forgotten."""


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(a_schedule("daily", overlap="queue", params={"name": ""}))
    return store


def requested(store: Store) -> int:
    return store.do(trigger, "shop", "daily", requested_by="bob", why=SECRET, params={"name": SECRET})


def failed(store: Store) -> int:
    """Let a run fail that tells of its customer wherever it can."""
    run_id = requested(store)
    (claimed,) = store.claim("daily")
    job = begun(store, claimed, "work")
    piece = {"job_run_id": job, "start": 0, "line": 0, "text": SECRET}
    store.do(lambda connection: connection.execute(insert(job_output).values(**piece)))
    ended = EndedJob(job, Outcome("failed", SECRET))
    store.do(finish_run, claimed, "failed", f"job work failed: {SECRET}", job=ended)
    printed = {"message": SECRET, "log_tail": SECRET, "tail_start": 12, "tail_line": 0}
    store.change(job_run, job_run.c.id == job, **printed)
    return run_id


def forget_at_once(connection: Connection, run_id: int) -> None:
    connection.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
    forget(connection, run_id, requested_by="ann")


def everything(store: Store) -> str:
    tables = (run, job_run, job_output, act)
    return str([store.rows(select(table)) for table in tables])


def acts(store: Store, what: str) -> list[Row[tuple[object, ...]]]:
    return store.rows(select(act).where(act.c.act == what))


def test_nothing_is_left_of_what_a_run_was_given_and_has_said_and_that_is_recorded_once(store: Store) -> None:
    run_id = failed(store)
    assert everything(store).count(SECRET) >= 5
    done = store.do(forget, run_id, requested_by="ann", why="as she asked")
    assert SECRET not in everything(store)
    assert (done.run_id, done.application, done.schedule) == (run_id, "shop", "daily")
    assert (done.state, done.already, done.forgotten_by) == ("failed", False, "ann")
    before = everything(store)
    again = store.do(forget, run_id, requested_by="carl")
    assert (again.already, again.forgotten_by) == (True, "ann")
    assert everything(store) == before
    assert [(one.act, one.acted_by, one.run_id, one.why) for one in acts(store, "forget")] == [
        ("forget", "ann", run_id, "as she asked")
    ]


def test_its_row_stays_and_says_who_and_when(store: Store) -> None:
    run_id = failed(store)
    before = store.run(run_id)
    store.do(forget, run_id, requested_by="ann")
    after = store.run(run_id)
    kept = ("scheduled_for", "state", "started_at", "finished_at", "token", "holder", "attempt", "requested_by")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert (after.params, after.requested_why, after.forgotten_by) == ("{}", None, "ann")
    assert after.forgotten_at is not None
    assert after.reason.startswith("forgotten by ann at 20")
    (attempt,) = store.job_runs()
    assert (attempt.state, attempt.error, attempt.log_tail, attempt.message) == ("failed", None, None, None)
    assert audit(store.url) == []


def test_of_a_cancelled_run_it_stays_who_cancelled_it_but_not_why(store: Store) -> None:
    run_id = requested(store)
    store.do(cancel, run_id, requested_by="bob", why=SECRET)
    other = requested(store)
    store.do(cancel, other, requested_by="bob", why="another reason")
    store.do(forget, run_id, requested_by="ann")
    assert SECRET not in str(store.runs(run.c.id == run_id))
    assert store.run(run_id).cancelled_by == "bob"
    assert {one.run_id: one.why for one in acts(store, "cancel")} == {run_id: None, other: "another reason"}
    assert audit(store.url) == []


def test_a_skipped_run_still_says_why_it_did_not_run(store: Store) -> None:
    run_id = requested(store)
    store.change(run, state="skipped", reason="missed", finished_at=PAST, available_at=None)
    store.do(forget, run_id, requested_by="ann")
    assert store.run(run_id).reason == "missed"
    assert SECRET not in everything(store)


def test_a_run_that_succeeded_gets_no_reason(store: Store) -> None:
    run_id = requested(store)
    (claimed,) = store.claim("daily")
    store.do(finish_run, claimed, "succeeded")
    store.do(forget, run_id, requested_by="ann")
    assert store.run(run_id).reason is None


def test_what_was_forgotten_is_not_tried_again_without_its_params(store: Store) -> None:
    run_id = failed(store)
    store.do(forget, run_id, requested_by="ann")
    with pytest.raises(
        DaemonError, match="was forgotten, and its parameters were deleted; `leased trigger daily` requests"
    ):
        store.do(retry, run_id, requested_by="bob")


def test_while_somebody_tries_it_again_its_params_stay(postgres: Store) -> None:
    """Else the new run, which was decided on by then, would go on without them."""
    postgres.sync(a_schedule("daily", overlap="queue", params={"name": ""}))
    run_id = failed(postgres)
    with postgres.begin() as one:
        (planned,) = plan_retries(one, {("shop", "daily")}, [run_id])
        with pytest.raises(OperationalError, match="lock timeout"):
            postgres.do(forget_at_once, run_id)
        (made,) = write_retries(one, [planned], by="bob", why=None).values()
    assert SECRET in postgres.run(made).params


def test_no_other_run_is_touched(store: Store) -> None:
    run_id, other = failed(store), failed(store)
    before = [store.rows(select(job_run).where(job_run.c.run_id == other)), store.run(other)]
    store.do(forget, run_id, requested_by="ann")
    assert [store.rows(select(job_run).where(job_run.c.run_id == other)), store.run(other)] == before
    assert [row.text for row in store.rows(select(job_output))] == [SECRET]


def test_one_that_is_not_over_is_refused(store: Store) -> None:
    run_id = requested(store)
    before = everything(store)
    for ask in (lambda: store.do(forget, run_id, requested_by="ann"), lambda: store.do(foreseen, run_id)):
        with pytest.raises(CannotAct, match="is pending and cannot be forgotten yet; wait until"):
            ask()
    (_,) = store.claim("daily")
    with pytest.raises(CannotAct, match="is running"):
        store.do(forget, run_id, requested_by="ann")
    assert everything(store).count(SECRET) == before.count(SECRET)


def test_a_run_that_does_not_exist_is_refused(store: Store) -> None:
    for ask in (lambda: store.do(forget, 999, requested_by="ann"), lambda: store.do(foreseen, 999)):
        with pytest.raises(NotFound, match="run 999 does not exist"):
            ask()


def test_the_values_of_secret_params_are_shown_as_stars_also_of_runs_before(store: Store) -> None:
    run_id = requested(store)
    store.sync(a_schedule("daily", overlap="queue", params={"name": "", "shop": 1}, secrets=("name",)))
    later = store.do(trigger, "shop", "daily", requested_by="bob", params={"name": SECRET})
    assert store.do(read_run, run_id).params == {"name": "***"}
    assert store.do(read_run, later).params == {"name": "***", "shop": 1}
    (claimed,) = store.claim("daily")
    assert claimed.params == {"name": SECRET}
    assert SECRET in store.run(run_id).params


def test_a_secret_that_has_another_name_now_is_still_shown_as_stars(store: Store) -> None:
    run_id = requested(store)
    store.sync(a_schedule("daily", overlap="queue", params={"customer": "", "shop": 1}, secrets=("customer",)))
    assert store.do(read_run, run_id).params == {"name": "***"}


def test_an_error_of_the_database_shows_no_parameters(database_url: str) -> None:
    wrong = text("SELECT nothing FROM no_table WHERE name = :name")
    with connected(parse_address(database_url), ConnectionSettings()) as connection, pytest.raises(DBAPIError) as told:
        connection.execute(wrong, {"name": SECRET})
    assert SECRET not in str(told.value)
