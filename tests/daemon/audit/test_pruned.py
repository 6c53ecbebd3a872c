"""The audit of a history of which the older part was pruned: it begins after that, and misses nothing in what is left."""

from collections.abc import Iterator

import pytest
from sqlalchemy import delete

from daemon.audit import Promise
from daemon.operations.retry import retry
from daemon.operations.trigger import trigger
from daemon.pruning.pruner import bound, choose_next
from daemon.store.statements.keeping import delete_runs
from daemon.store.tables import job_run, pruned, run
from tests.support.store import Store, a_schedule

from .story import audit, claim, fail, make, succeed, tell, work

pytestmark = pytest.mark.conformance


@pytest.fixture
def store(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A story of which each schedule has kept its last run alone, and those that are not over."""
    monkeypatch.setattr("daemon.pruning.choice.LEAST_AGE", -1.0)
    with Store(database_url) as opened:
        make(opened)
        for name in opened.schedules():
            prune(opened, name)
        yield opened


def prune(store: Store, name: str) -> None:
    bounded = store.do(bound, "shop", name, {"runs": 2})
    after = 0
    while bounded is not None:
        chosen = store.do(choose_next, bounded, after)
        store.do(delete_runs, bounded.application, bounded.schedule, chosen.ids)
        if not chosen.more:
            return
        after = chosen.after


def test_what_was_pruned_is_not_missed(store: Store) -> None:
    assert [str(violation) for violation in audit(store.url)] == []
    found = tell(store.url)
    assert found.runs == len(store.runs()) < 40
    (remark,) = found.remarks
    assert "were pruned because of keep" in remark


def test_what_a_retry_has_taken_over_is_not_missed_when_the_run_before_has_gone(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.pruning.choice.LEAST_AGE", -1.0)
    with Store(database_url) as store:
        store.sync(a_schedule("daily", jobs=("zones", "orders")))
        store.do(trigger, "shop", "daily", requested_by="ada")
        first = claim(store, "daily")
        succeed(store, first, "zones")
        fail(store, first, "orders", 1)
        store.do(retry, first.run_id, requested_by="ada")
        work(store, claim(store, "daily"), "orders")
        assert audit(store.url) == []
        bounded = store.do(bound, "shop", "daily", {"runs": 1})
        assert bounded is not None
        chosen = store.do(choose_next, bounded, 0)
        assert store.do(delete_runs, "shop", "daily", chosen.ids) == 1
        assert [row.retry_of for row in store.runs()] == [first.run_id]
        assert [str(violation) for violation in audit(store.url)] == []


def test_without_the_record_of_it_the_instants_would_be_lost(store: Store) -> None:
    store.do(lambda connection: connection.execute(delete(pruned)))
    assert {violation.promise for violation in audit(store.url)} == {Promise.INSTANTS}


def test_what_is_lost_after_it_is_still_found(store: Store) -> None:
    last = store.runs(run.c.schedule == "ticks")[-1]
    store.do(lambda connection: connection.execute(delete(job_run).where(job_run.c.run_id == last.id)))
    store.do(lambda connection: connection.execute(delete(run).where(run.c.id == last.id)))
    assert [violation.promise for violation in audit(store.url)] == [Promise.INSTANTS]
    assert "that scheduled time is lost" in str(audit(store.url)[0])
