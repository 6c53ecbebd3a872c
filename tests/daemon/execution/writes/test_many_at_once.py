"""Sets of four replicas beside a planner, renewals, zombies and open fences: each run is done once, its tokens have no gaps,
and nobody waits for another in a circle (rules 4, 5, 10, 14 and 15).

LEASED_TEST_RUNS says how many runs there are (300).
"""

import os
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

import lease.statements
from daemon.execution.claim import ClaimedRun, claim
from daemon.execution.writes.transactions import PATIENCE, Done, EndedJob, EndRun, NotOurs, PassedOver, Write, write_set
from daemon.jobs.reports import Outcome
from daemon.operations.trigger import trigger
from daemon.recovery.settle import settle
from daemon.store.tables import job_run, run
from lease.database.driver_errors import sqlstate
from lease.model import Grant
from lease.schema import lease as leases
from tests.support.store import TTL, Store, a_schedule

RUNS = int(os.environ.get("LEASED_TEST_RUNS", "300"))
NAMES = [f"s{number}" for number in range(40)]
REPLICAS = 4
PLANNERS = 2
SHARE = 0.06
"""Of the runs: so many lose their lease while they are at work, and so many are fenced when they end."""
STANDSTILL = 15.0
"""Seconds without a run that ends, after which nothing will."""


class World:
    def __init__(self, url: str) -> None:
        self.url = url
        self.over = 0
        self.to_plan: SimpleQueue[str] = SimpleQueue()
        for name in NAMES:
            self.to_plan.put(name)
        self._left = RUNS - len(NAMES)
        self.granted: defaultdict[str, set[int]] = defaultdict(set)
        self.refused = self.passed_over = self.deadlocks = 0
        self._moved = time.monotonic()
        self._guard = threading.Lock()

    @property
    def goes_on(self) -> bool:
        return self.over < RUNS and time.monotonic() - self._moved < STANDSTILL

    def began(self, claimed: Iterable[ClaimedRun]) -> None:
        for one in claimed:
            if one.attempt == 1 and self._left > 0:
                self._left -= 1
                self.to_plan.put(one.schedule)

    def ended(self, number: int) -> None:
        if number:
            with self._guard:
                self.over += number
                self._moved = time.monotonic()

    def planner(self) -> None:
        """Plan a run of each schedule, and the next one while the one before it is at work."""
        with Store(self.url) as store:
            while self.goes_on:
                with suppress(Empty):
                    name = self.to_plan.get(timeout=0.1)
                    if self._tried(store.do, trigger, "shop", name, requested_by="ada") is None:
                        self.to_plan.put(name)

    def replica(self, number: int) -> None:
        chance = random.Random(number)
        with Store(self.url) as store:
            known, holder = store.known(*NAMES), f"h{number}"
            first = dict.fromkeys(NAMES, "work")
            left: list[Write] = []
            while self.goes_on:
                self._tried(store.do, lease.statements.renewing(holder, TTL, 0.5))
                claimed: Sequence[ClaimedRun] = (
                    self._tried(store.do, claim, "shop", known, holder, holder, TTL, 25, first) or ()
                )
                self._note(one.grant for one in claimed)
                self.began(claimed)
                for one in claimed:
                    if chance.random() < SHARE:
                        self._steal(store, one.grant)
                left = self._end(store, [*left, *map(_end, claimed)], chance)

    def _end(self, store: Store, writes: list[Write], chance: random.Random) -> list[Write]:
        """Write a set, some of it under open fences; return what is to be written again."""
        fenced = [write.grant for write in writes if isinstance(write, EndRun) and chance.random() < SHARE]
        with ThreadPoolExecutor(1) as pool:
            open_, close = threading.Event(), threading.Event()
            fence = pool.submit(self._fence, fenced, open_, close)
            open_.wait()
            try:
                answers = self._tried(store.do, write_set, writes) or [PassedOver()] * len(writes)
            finally:
                close.set()
            fence.result()
        left = []
        for write, answer in zip(writes, tuple(answers), strict=True):
            if isinstance(answer, PassedOver):
                self.passed_over += 1
                became = self._tried(store.do, write_set, [write], patience=PATIENCE)
                left += [] if became else [write]
                answers += became or []
        self.refused += sum(isinstance(answer, NotOurs) for answer in answers)
        self.ended(sum(isinstance(answer, Done) for answer in answers))
        return left

    def _fence(self, grants: Sequence[Grant], open_: threading.Event, close: threading.Event) -> None:
        try:
            with Store(self.url) as store, store.begin() as connection:
                lease.statements.hold(connection, grants)
                open_.set()
                close.wait()
        finally:
            open_.set()

    def _steal(self, store: Store, grant: Grant) -> None:
        """Let the lease go stale under the work, and settle what it leaves; its holder then is a zombie."""
        store.go_stale(grant)
        for stolen in store.do(lease.statements.grant, [grant.name], "thief", TTL):  # or another replica was first
            self._note([stolen])
            store.do(lease.statements.release, stolen)
        self._tried(store.do, settle, "shop")

    def _note(self, grants: Iterable[Grant]) -> None:
        with self._guard:
            for grant in grants:
                self.granted[grant.name].add(grant.token)

    def _tried(self, attempt: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return what an attempt does; None where a lock kept it from it."""
        try:
            return attempt(*args, **kwargs)
        except DBAPIError as error:
            if sqlstate(error) == "40P01":
                self.deadlocks += 1
            elif sqlstate(error) != "55P03":
                raise
            return None


def _end(claimed: ClaimedRun) -> Write:
    return EndRun(
        claimed, "succeeded", job=None if claimed.begun is None else EndedJob(claimed.begun, Outcome("succeeded"))
    )


def lived_through(url: str) -> World:
    world = World(url)
    with Store(url) as store:
        store.sync(*(a_schedule(name, overlap="queue") for name in NAMES))
    with ThreadPoolExecutor(REPLICAS + PLANNERS) as pool:
        parts = [
            *(pool.submit(world.planner) for _ in range(PLANNERS)),
            *(pool.submit(world.replica, number) for number in range(REPLICAS)),
        ]
    for part in parts:
        part.result()
    return world


@pytest.mark.timeout(600)
@pytest.mark.extended
def test_each_run_is_done_once_and_its_tokens_have_no_gaps(postgres_url: str) -> None:
    world = lived_through(postgres_url)
    assert (world.over, world.deadlocks) == (RUNS, 0)
    assert world.refused > 0, "zombies tried"
    assert world.passed_over > 0, "fences were open"
    with Store(postgres_url) as store:
        states = select(run.c.state, func.count()).group_by(run.c.state)
        assert [tuple(row) for row in store.rows(states)] == [("succeeded", RUNS)]
        for row in store.rows(select(leases.c.name, leases.c.token, leases.c.holder)):
            assert (row.holder, world.granted[row.name]) == (None, set(range(1, row.token + 1)))
        often = select(job_run.c.run_id).where(job_run.c.state == "succeeded").group_by(job_run.c.run_id)
        assert store.rows(often.having(func.count() > 1)) == []
