"""Helpers for our own fast tests with `daemon.testing`: gates for jobs, and reads of the store."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, select, update

from daemon import Schedules
from daemon.definitions.application import Known
from daemon.execution.claim import claim
from daemon.execution.held_run import HeldRun
from daemon.operations.trigger import trigger
from daemon.service.replica import Replica
from daemon.service.settings import Settings
from daemon.store.tables import job_run, run
from daemon.telemetry.facts import Fact
from daemon.testing import ManualReplica, ManualStore
from lease.clock import boottime
from lease.database.database import Unit
from lease.database.dialects import clock, later
from lease.model import Grant
from lease.schema import lease as leases
from lease.timing import LeaseTiming
from tests.support.completion import start_job
from tests.support.entries import own_entry
from tests.support.waiting import LIMIT

T = TypeVar("T")

ONE_O_CLOCK = "2026-07-01T01:00:00Z"
SELDOM = LeaseTiming("60s", renew_every="20s", kill_time="0.05s")
"""Renewed so seldom that the database refuses a write before the heartbeat hears of a loss. A closing
hardly waits for the work under it, which no test ends.
"""
HARD_PRESSED = LeaseTiming("15s", renew_every="0.1s", kill_time="0.05s")
"""The leases of `daemon.testing`, but their work gets no time to end once the ttl is over."""


def almost_stale() -> float:
    """Return a time at which a lease just renewed under `HARD_PRESSED` is almost stale."""
    return boottime() + HARD_PRESSED.ttl - 0.1


class CountingStore(ManualStore):
    """A store that counts the calls of replicas."""

    reads = 0
    writes = 0

    async def read(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        self.reads += 1
        return await super().read(unit, timeout=timeout)

    async def write(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        self.writes += 1
        return await super().write(unit, timeout=timeout)


class Gate:
    """A gate at which a job waits until its test opens it; both may be on any thread."""

    def __init__(self) -> None:
        self._entered: Future[None] = Future()
        self._opened: Future[None] = Future()

    async def passed(self, _run: object = None) -> None:
        """Wait (in a job) until the gate is open."""
        if not self._entered.done():
            self._entered.set_result(None)
        await asyncio.shield(asyncio.wrap_future(self._opened))

    async def entered(self) -> None:
        """Wait (in a test) until a job has reached the gate."""
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._entered)), LIMIT)

    def open(self) -> None:
        self._opened.set_result(None)

    @property
    def is_open(self) -> bool:
        return self._opened.done()


async def nothing(_run: object) -> None:
    """A job that does nothing."""


async def failing(_run: object) -> None:
    """A job that fails."""
    raise ValueError("no such customer")


def a_shop(*jobs: Callable[..., Any], **settings: Any) -> Schedules:
    """Return the application "shop" with the schedule "nightly", due at two each day."""
    schedules = Schedules("shop")
    add_schedule(schedules, "nightly", *jobs, **settings)
    return schedules


def add_schedule(schedules: Schedules, name: str, *jobs: Callable[..., Any], **settings: Any) -> None:
    builder = schedules.add(name, cron="0 2 * * *", **settings)
    for number, job in enumerate(jobs or (nothing,), start=1):
        builder.job(name=f"job{number}", timeout="1m")(job)


def facts_of(replica: ManualReplica, kind: type[T]) -> list[T]:
    """Return the facts of one kind that it reported so far."""
    return [fact for fact in replica.facts if isinstance(fact, kind)]


def told(facts: Sequence[Fact], text: str) -> list[Fact]:
    """Return the facts that contain ``text``."""
    return [fact for fact in facts if text in str(fact)]


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until another thread makes `condition()` true; otherwise AssertionError names `what`."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"not within {LIMIT:g} s: {what}"
        await asyncio.sleep(0.001)


@asynccontextmanager
async def side_by_side(*shops: Schedules) -> AsyncIterator[tuple[ManualStore, list[ManualReplica]]]:
    """Open a store, and a replica with each of these definitions."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(ManualStore(ONE_O_CLOCK))
        yield store, [await stack.enter_async_context(ManualReplica(store, shop)) for shop in shops]


@asynccontextmanager
async def at_work(
    gate: Gate, shop: Schedules | None = None, **options: Any
) -> AsyncIterator[tuple[ManualReplica, int]]:
    """Let a replica execute a run of "nightly", of which a job has reached the gate; return both."""
    shop = a_shop(gate.passed) if shop is None else shop
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop, **options) as replica:
        run_id = await replica.trigger("nightly")
        await replica.tick()
        await gate.entered()
        yield replica, run_id


async def a_held_run(replica: ManualReplica, schedule: str = "nightly") -> HeldRun:
    """Trigger a run and claim it, as a tick does, but do not execute it."""
    await replica.trigger(schedule)
    context, client = replica.context, replica.context.client
    known = Known({schedule: replica.application.schedule(schedule).run_digest()})
    async with client.acquiring() as acquisition:
        (claimed,) = await context.database.write(
            lambda c: claim(c, "shop", known, client.holder, client.label, client.timing.ttl, 1)
        )
        (held,) = await acquisition.adopt([claimed.grant])
    return HeldRun(context, claimed, held)


async def left_behind(store: ManualStore, *, abandoned: int = 0, stale: bool = True) -> Grant:
    """Leave a run at work under the lease of an unregistered, dead replica; return its grant."""

    def transaction(connection: Connection) -> Grant:
        run_id = trigger(connection, "shop", "nightly", requested_by="a test")
        digest = connection.execute(select(run.c.digest).where(run.c.id == run_id)).scalar_one()
        (claimed,) = claim(connection, "shop", Known({"nightly": digest}), "gone", "a replica that is gone", 60.0, 1)
        start_job(connection, claimed, "job1", 0, 1)
        connection.execute(update(run).where(run.c.id == run_id).values(abandoned=abandoned))
        if stale:
            this = leases.c.name == claimed.grant.name
            connection.execute(update(leases).where(this).values(expires_at=later(clock(), -1.0)))
        return claimed.grant

    return await store.write(transaction)


async def job_runs(store: ManualStore) -> list[Row[Any]]:
    """Return the rows of all job runs."""
    return await store.read(lambda connection: list(connection.execute(select(job_run).order_by(job_run.c.id))))


async def lease_of(store: ManualStore, name: str) -> Row[Any]:
    """Return the row of a lease."""
    return await store.read(lambda connection: connection.execute(select(leases).where(leases.c.name == name)).one())


def a_loop(replica: ManualReplica, **settings: Any) -> Replica:
    """Return a replica with this one's parts, whose loop rests for days unless woken."""
    entry = own_entry(replica.context.client.holder, "shop")
    return Replica(replica.context, Settings(web=None, **{"poll": 1e6, **settings}), entry)
