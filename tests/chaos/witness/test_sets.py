"""The witness knows which runs were claimed in one set, and ended in one."""

from collections import Counter

from daemon.execution.claim import claim
from daemon.execution.writes.transactions import EndRun, write_set
from daemon.operations.trigger import trigger
from daemon.recovery.settle import settle
from tests.chaos.witness.sets import sets
from tests.support.store import TTL, Store, a_schedule

NAMES = ("a", "b", "c", "d")


def test_runs_count_by_the_transactions_that_claimed_and_ended_them(watched_url: str) -> None:
    with Store(watched_url) as store:
        store.sync(*(a_schedule(name) for name in NAMES))
        for name in NAMES:
            store.do(trigger, "shop", name, requested_by="ada")
        known = store.known(*NAMES)
        (alone,) = store.do(claim, "shop", known, "h1", None, TTL, 1)
        *two, left = store.do(claim, "shop", known, "h2", None, TTL, 10)
        store.do(write_set, [EndRun(claimed, "succeeded") for claimed in two])
        store.do(write_set, [EndRun(alone, "succeeded")])
        store.go_stale(left.grant)
        assert len(store.do(settle)) == 1
        assert len(store.do(claim, "shop", known, "h3", None, TTL, 10)) == 1
        found = store.do(sets)
    assert found.claims.of == Counter({1: 2, 3: 1})
    assert found.ends.of == Counter({1: 1, 2: 1})
    assert (found.claims.runs, found.claims.together, found.claims.largest) == (5, 3, 3)
