"""The claims of a replica, which go with the ends of its runs (rule 15)."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Connection

from daemon.execution.writes import batcher
from daemon.execution.writes.transactions import EndRun, PassedOver, Write, write_set
from daemon.testing import ManualReplica, ManualStore
from lease.database.database import Unit
from tests.support.manual import ONE_O_CLOCK, Gate, a_shop, until
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio


class HeldUp:
    """All sets wait until they may `go`; from then on one end is passed over, until its schedule is free."""

    def __init__(self, store: ManualStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go = asyncio.Event()
        self.is_free = False
        self._locked: Write | None = None
        self._write, self._write_set = store.write, write_set
        monkeypatch.setattr(store, "write", self._held)
        monkeypatch.setattr(batcher, "write_set", self._written)

    async def _held(self, unit: Unit[Any], *, timeout: float | None = None) -> Any:
        await self.go.wait()
        return await self._write(unit, timeout=timeout)

    def _written(self, connection: Connection, writes: Sequence[Write], *, patience: float | None = None) -> list[Any]:
        self._locked = self._locked or next((write for write in writes if isinstance(write, EndRun)), None)
        free = [write for write in writes if self.is_free or write is not self._locked]
        answers = iter(self._write_set(connection, free, patience=patience))
        return [next(answers) if write in free else PassedOver() for write in writes]


async def test_what_takes_the_place_of_a_run_whose_end_is_passed_over_starts_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its schedule is locked, by a replica that plans, say. For a moment there are more runs than places, of which no
    more are at work.
    """
    gate = Gate()
    shop = a_shop(gate.passed, overlap="allow")
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop, concurrency=2) as replica:
        for _ in range(4):
            await replica.trigger("nightly")
        await replica.tick()
        held, batcher = HeldUp(store, monkeypatch), replica.context.batcher
        before = asyncio.create_task(batcher.claim(lambda _, __: [], lambda _: 0))
        await until(lambda: not batcher._claims, "a set is under way")
        replica.replica.rest.begin_look()
        resting = asyncio.create_task(replica.replica.rest.rest(LIMIT))
        gate.open()
        await until(lambda: len(batcher._next) == 2, "both have ended")
        await until(resting.done, "the replica is woken before the ends are written")
        assert len(replica.replica.runs) == 2
        filling = asyncio.create_task(replica.replica.runs.fill())
        await until(lambda: batcher._claims, "the claim goes with them")
        held.go.set()
        assert await filling
        held.is_free = True
        await before
        await replica.work()
        assert [run.state for run in await replica.runs()] == ["succeeded"] * 4
