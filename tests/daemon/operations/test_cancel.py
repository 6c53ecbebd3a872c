"""A run cancelled on request: what waits ends at once, what is at work is marked, nothing happens twice (rule 23)."""

import pytest

from daemon.errors import CannotAct
from daemon.execution.claim import ClaimedRun
from daemon.operations.cancel import cancel
from daemon.operations.trigger import trigger
from tests.support.completion import finish_run, retry_run
from tests.support.store import Store, a_schedule


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(a_schedule("daily", overlap="queue"))
    return store


def triggered(store: Store) -> int:
    return store.do(trigger, "shop", "daily", requested_by="ada")


def claimed_run(store: Store) -> ClaimedRun:
    triggered(store)
    (claimed,) = store.claim("daily")
    return claimed


def test_a_run_that_waits_ends_at_once_and_says_who_and_why(store: Store) -> None:
    run_id = triggered(store)
    done = store.do(cancel, run_id, requested_by="bob", why="wrong file")
    assert (done.state, done.already, done.application, done.schedule) == ("cancelled", False, "shop", "daily")
    row = store.run(run_id)
    assert (row.state, row.reason) == ("cancelled", "cancelled by bob: wrong file")
    assert (row.cancelled_by, row.cancelled_why) == ("bob", "wrong file")
    assert None not in (row.cancelled_at, row.finished_at)
    assert store.claim("daily") == []


def test_the_successor_of_a_cancelled_run_is_due_in_the_same_transaction(store: Store) -> None:
    """Rule 14."""
    first, second = triggered(store), triggered(store)
    assert store.run(second).available_at is None
    store.do(cancel, first, requested_by="bob")
    assert [claimed.run_id for claimed in store.claim("daily")] == [second]


def test_of_a_queue_the_one_in_the_middle_goes_and_the_others_keep_their_order(store: Store) -> None:
    first, second, third = triggered(store), triggered(store), triggered(store)
    store.do(cancel, second, requested_by="bob")
    (claimed,) = store.claim("daily")
    assert claimed.run_id == first
    store.do(finish_run, claimed, "failed", "a reason")
    assert [one.run_id for one in store.claim("daily")] == [third]


def test_a_run_that_waits_for_a_retry_ends_at_once(store: Store) -> None:
    claimed = claimed_run(store)
    store.do(retry_run, claimed, 60.0)
    store.do(cancel, claimed.run_id, requested_by="bob")
    row = store.run(claimed.run_id)
    assert (row.state, row.reason) == ("cancelled", "cancelled by bob")
    assert (row.token, row.holder, row.attempt) == (None, None, 1)


def test_a_run_at_work_is_marked_and_its_lease_is_left_alone(store: Store) -> None:
    claimed = claimed_run(store)
    before = store.lease(claimed.grant.name)
    done = store.do(cancel, claimed.run_id, requested_by="bob", why="it hangs")
    assert (done.state, done.already, done.replica) == ("running", False, "label of h1")
    assert done.lease_expires_in is not None
    assert 0 < done.lease_expires_in <= 15
    row = store.run(claimed.run_id)
    assert (row.state, row.reason, row.cancelled_by, row.cancelled_why) == ("running", None, "bob", "it hangs")
    assert store.lease(claimed.grant.name) == before


@pytest.mark.parametrize("at_work", [True, False])
def test_the_second_cancel_does_nothing_and_says_so(store: Store, at_work: bool) -> None:
    run_id = claimed_run(store).run_id if at_work else triggered(store)
    store.do(cancel, run_id, requested_by="bob", why="first")
    before = store.everything()
    again = store.do(cancel, run_id, requested_by="eve", why="second")
    assert (again.already, again.cancelled_by, again.cancelled_why) == (True, "bob", "first")
    assert store.everything() == before


def test_a_run_that_is_over_says_how_and_when_it_ended(store: Store) -> None:
    claimed = claimed_run(store)
    store.do(finish_run, claimed, "failed", "no more shops")
    before = store.everything()
    over = (
        rf'run {claimed.run_id} of "daily" has already ended and cannot be cancelled: failed at 2.*Z \(no more shops\)'
    )
    with pytest.raises(CannotAct, match=over):
        store.do(cancel, claimed.run_id, requested_by="bob")
    assert store.everything() == before
