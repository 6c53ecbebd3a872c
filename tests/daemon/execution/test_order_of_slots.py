"""Which run gets a slot that becomes free where several replicas look for one at the same moment (rule 14)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import lease.statements
from daemon.execution import claim as claiming
from daemon.execution.claim import ClaimedRun
from daemon.store import statements
from daemon.store.statements.claims import Candidate
from daemon.store.tables import run
from tests.support.completion import finish_run
from tests.support.store import Store, a_schedule, pending_runs


@pytest.fixture
def store(postgres: Store) -> Store:
    """Only there do two claim at once: on SQLite each has the database for itself."""
    return postgres


def waiting(store: Store, **counts: int) -> None:
    """Let so many runs wait of schedules that have the names of their priorities, and share a lock with two slots."""
    for name, count in counts.items():
        made = a_schedule(name, overlap="allow", lock={"name": "api", "slots": 2}, priority=name)
        store.sync(made)
        pending_runs(store, made, count)


def ids(store: Store, name: str) -> list[int]:
    return [row.id for row in store.runs(run.c.schedule == name)]


def one_slot_is_left(store: Store) -> None:
    store.do(lease.statements.grant, ["api/2"], "somebody else", 60.0, label=None)


class Between:
    """What comes between the moment at which a claim has found its runs, and that of its grants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def does(self, act: Callable[[], Any]) -> None:
        grant = claiming._grant

        def granting(*given: Any) -> Any:
            self._monkeypatch.setattr(claiming, "_grant", grant)
            act()
            return grant(*given)

        self._monkeypatch.setattr(claiming, "_grant", granting)


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Between:
    return Between(monkeypatch)


def numbers(claimed: list[ClaimedRun]) -> list[int]:
    return [one.run_id for one in claimed]


@pytest.mark.parametrize(
    ("counts", "order"),
    [
        ({"high": 1, "normal": 3}, ["high", "normal"]),
        ({"normal": 3}, ["normal", "normal"]),
        ({"low": 3, "high": 1}, ["high", "low"]),
    ],
)
def test_a_free_slot_is_for_the_first_also_while_another_replica_looks(
    store: Store, between: Between, counts: dict[str, int], order: list[str]
) -> None:
    waiting(store, **counts)
    one_slot_is_left(store)
    late: list[ClaimedRun] = []
    between.does(lambda: late.extend(store.claim(*counts, holder="h2")))
    (first,) = store.claim(order[0], limit=1)
    assert late == []
    store.do(finish_run, first, "succeeded", None)
    (second,) = store.claim(*counts, holder="h2")
    assert [first.schedule, second.schedule] == order
    assert first.run_id == ids(store, order[0])[0]


def test_two_free_slots_are_for_two_replicas(store: Store, between: Between) -> None:
    """Neither locks more runs than it has places for, nor leaves a slot that is for none before."""
    waiting(store, normal=4)
    late: list[ClaimedRun] = []
    between.does(lambda: late.extend(store.claim("normal", holder="h2")))
    claimed = store.claim("normal", limit=1)
    assert [numbers(claimed), numbers(late)] == [ids(store, "normal")[:1], ids(store, "normal")[1:2]]


def test_a_slot_that_was_taken_as_the_claim_looked_counts_no_more(
    store: Store, between: Between, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run is seen no more: what is left is for the one that another replica has locked."""
    waiting(store, normal=3)
    late: list[ClaimedRun] = []

    def others() -> None:
        waiting(store, high=1)
        find = statements.claims.candidates

        def looks(*given: Any, **named: Any) -> list[Candidate]:
            monkeypatch.setattr(statements.claims, "candidates", find)
            assert [one.schedule for one in store.claim("high", "normal", holder="h3", limit=1)] == ["high"]
            return find(*given, **named)

        monkeypatch.setattr(statements.claims, "candidates", looks)
        late.extend(store.claim("high", "normal", holder="h2"))

    between.does(others)
    claimed = store.claim("normal", limit=1)
    assert late == []
    assert numbers(claimed) == ids(store, "normal")[:1]


@pytest.mark.parametrize("count", [1, 2])
def test_the_slots_that_are_left_are_for_the_first(store: Store, between: Between, count: int) -> None:
    """If one was taken in between: by somebody else, or for a run that has come since, and goes before."""
    waiting(store, normal=count)
    between.does(lambda: store.do(lease.statements.grant, ["api"], "somebody else", 60.0, label=None))
    (claimed,) = store.claim("normal")
    assert (claimed.run_id, claimed.grant.name) == (ids(store, "normal")[0], "api/2")


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "of another definition"},
        {"cancelled_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"available_at": datetime(2100, 1, 1, tzinfo=UTC)},
        {"state": "skipped", "reason": "a test", "finished_at": datetime(2026, 1, 1, tzinfo=UTC)},
    ],
)
def test_a_run_that_changed_since_it_was_found_is_asked_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    waiting(store, normal=2)
    first, second = ids(store, "normal")
    lock = statements.claims.lock

    def changed(*given: Any) -> set[int]:
        monkeypatch.setattr(statements.claims, "lock", lock)
        store.change(run, run.c.id == first, **change)
        return lock(*given)

    monkeypatch.setattr(statements.claims, "lock", changed)
    assert numbers(store.claim("normal")) == [second]


def test_a_run_whose_claim_fails_is_the_first_again(store: Store, between: Between) -> None:
    waiting(store, high=1, normal=2)
    one_slot_is_left(store)

    def fail() -> None:
        assert store.claim("high", "normal", holder="h2") == []
        raise ConnectionError

    between.does(fail)
    with pytest.raises(ConnectionError):
        store.claim("high", "normal")
    assert numbers(store.claim("high", "normal", holder="h2")) == ids(store, "high")
