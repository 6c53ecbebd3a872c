"""Startup cleanup, and the end of replicas that are proven dead, as one replica does them (rule 18)."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from daemon.jobs.processes.identity import ProcessIdentity
from daemon.recovery import deaths, registry, settle
from daemon.recovery.deaths import DeathWatch, neighbours, proven_dead
from daemon.recovery.settle import Settler
from daemon.store.statements import replica
from daemon.store.tables import job_run
from daemon.store.tables import replica as replicas
from daemon.store.tables import run as runs
from daemon.telemetry.facts import Fact, JobStarted, RunRecovered
from daemon.testing import ManualReplica, ManualStore
from lease.model import Grant
from lease.timing import LeaseTiming
from tests.support.entries import own_entry
from tests.support.manual import (
    ONE_O_CLOCK,
    CountingStore,
    Gate,
    a_shop,
    add_schedule,
    facts_of,
    job_runs,
    lease_of,
    left_behind,
    until,
)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no death can be proven, and the ttl decides"),
]

GONE: Mapping[str, Any] = {"start_time": 1}
"""Our process id with another start time: that process is dead for sure, and another has its id."""

NOT_PROVEN: Mapping[str, Mapping[str, Any]] = {
    "its process lives": {},
    "another boot": {**GONE, "boot_id": "another boot"},
    "another namespace": {**GONE, "pid_namespace": "pid:[1]"},
    "its start is not known": {"start_time": 0},
}

TIMING = LeaseTiming("15s")


class Cleaner:
    """A settler of its own on the store of a test, and what it reports."""

    def __init__(self, store: ManualStore) -> None:
        self.facts: list[Fact] = []
        self.settler = Settler(store, "shop", "me", "web1:4711", self.facts.append, DeathWatch("me", TIMING))

    def recovered(self) -> list[tuple[str, int, str, bool]]:
        return [
            (fact.run.replica, fact.run.run_id, fact.settlement, fact.at_startup)
            for fact in self.facts
            if isinstance(fact, RunRecovered)
        ]


async def a_run_of(store: ManualStore, **entry: Any) -> Grant:
    """Leave a run running under a replica "gone", which is registered with what ``entry`` changes of our own entry."""
    grant = await left_behind(store, stale=False)
    registered = replace(own_entry(grant.holder, "shop"), **entry)
    await store.write(lambda connection: registry.register(connection, registered))
    return grant


async def states(store: ManualStore) -> Mapping[str, str]:
    """Return the states of all runs, and of the replica "gone"."""

    def read(connection: Connection) -> Mapping[str, str]:
        found = {f"run {row.id}": row.state for row in connection.execute(select(runs))}
        gone = connection.execute(select(replicas).where(replicas.c.holder == "gone"))
        return found | {row.holder: row.state for row in gone}

    return await store.read(read)


async def test_a_replica_whose_process_is_gone_is_dead_and_its_run_goes_on_although_its_lease_is_live() -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()):
        grant = await a_run_of(store, **GONE)
        cleaner = Cleaner(store)
        assert [settled.grant for settled in await cleaner.settler.settle_proven_dead()] == [grant]
        assert await states(store) == {"run 1": "pending", "gone": "dead"}
        assert (await lease_of(store, grant.name)).holder is None
        assert cleaner.recovered() == [("web1:4711", 1, "abandoned", False)]
        assert [fact.gone for fact in cleaner.facts if isinstance(fact, RunRecovered)] == [True]


@pytest.mark.parametrize("entry", NOT_PROVEN.values(), ids=NOT_PROVEN)
async def test_what_is_not_proven_is_left_to_the_ttl(entry: Mapping[str, Any]) -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()):
        await a_run_of(store, **entry)
        cleaner = Cleaner(store)
        assert proven_dead(await store.read(neighbours)) == set()
        assert await cleaner.settler.settle_proven_dead() == []
        assert await states(store) == {"run 1": "running", "gone": "running"}
        assert cleaner.recovered() == []


async def test_the_death_of_a_neighbour_is_proven_whatever_its_application_until_it_is_recorded() -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()):
        registered = replace(own_entry("gone", "another application"), **GONE)
        await store.write(lambda connection: registry.register(connection, registered))
        assert proven_dead(await store.read(neighbours)) == {"gone"}
        await store.write(lambda connection: replica.mark_dead(connection, ["gone"]))
        assert proven_dead(await store.read(neighbours)) == set()


async def test_a_replica_never_takes_itself_for_dead() -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()):
        grant = await a_run_of(store, **GONE)
        facts: list[Fact] = []
        own = Settler(store, "shop", grant.holder, "web1:4711", facts.append, DeathWatch(grant.holder, TIMING))
        assert await own.settle_proven_dead() == []
        assert await states(store) == {"run 1": "running", "gone": "running"}


async def test_where_no_process_can_be_judged_nothing_is_asked_and_there_are_no_neighbours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with CountingStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()):
        await a_run_of(store, **GONE)
        store.reads = store.writes = 0
        monkeypatch.setattr(settle, "pid_namespace", lambda: None)
        assert await Cleaner(store).settler.settle_proven_dead() == []
        assert (store.reads, store.writes) == (0, 0)
        monkeypatch.setattr(deaths, "pid_namespace", lambda: None)
        assert await store.read(neighbours) == []


@pytest.mark.parametrize("gone", [True, False])
async def test_a_run_goes_on_only_when_what_was_left_of_its_work_is_seen_gone(
    gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two keepers both are ended, even if the first one is not seen gone."""
    ended: list[int] = []

    def end(keeper: ProcessIdentity) -> bool:
        ended.append(keeper.pid)
        return gone

    monkeypatch.setattr(settle, "end_leftovers", end)
    gate = Gate()
    schedules = a_shop(gate.passed)
    add_schedule(schedules, "weekly", gate.passed)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        for name in ("nightly", "weekly"):
            await replica.trigger(name)
        await replica.tick()
        await until(lambda: len(facts_of(replica, JobStarted)) == 2, "both jobs have begun")
        for number, row in enumerate(await job_runs(store)):
            keeper = update(job_run).where(job_run.c.id == row.id).values(keeper_pid=5000 + number, keeper_start=1)
            await store.write(lambda connection, keeper=keeper: connection.execute(keeper))  # type: ignore[misc]
        dead = update(replicas).values(**GONE)
        await store.write(lambda connection: connection.execute(dead))
        settled = await Cleaner(store).settler.settle_proven_dead()
        assert sorted(ended) == [5000, 5001]
        assert len(settled) == (2 if gone else 0)
        assert [run.state for run in await replica.runs()] == ["pending" if gone else "running"] * 2


async def test_startup_cleanup_ends_what_is_left_of_work_whose_lease_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its replica may have died before it could, and its keeper be stopped: the work would go on beside the next."""
    ended: list[int] = []

    def end(keeper: ProcessIdentity) -> bool:
        ended.append(keeper.pid)
        return True

    monkeypatch.setattr(settle, "end_leftovers", end)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        grant = await left_behind(store)
        registered = replace(own_entry(grant.holder, "shop"), **GONE)
        await store.write(lambda connection: registry.register(connection, registered))
        kept = update(job_run).values(keeper_pid=5000, keeper_start=1)
        await store.write(lambda connection: connection.execute(kept))
        await replica.replica.clean_up()
        assert ended == [5000]
        assert [run.state for run in await replica.runs()] == ["pending"]
        assert [(fact.at_startup, fact.gone) for fact in facts_of(replica, RunRecovered)] == [(True, True)]
