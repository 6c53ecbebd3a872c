"""Replicas in this process that live by themselves, on a real database, and rest for days unless woken."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import Any, TypeVar, cast
from unittest.mock import patch

from sqlalchemy import Connection

from daemon import Schedules
from daemon.jobs.task_thread import TaskThread
from daemon.operations.trigger import trigger
from daemon.service import parts
from daemon.service.replica import Replica
from daemon.service.settings import Settings
from daemon.service.waking.hearing import Hearing
from daemon.service.waking.idle_wait import Agenda, IdleWait, RoomLeft, Wakes
from daemon.store import statements
from daemon.store.notices import Notice
from daemon.telemetry.facts import Fact
from daemon.testing.replica import application_of
from lease.database.database import Database, Unit
from lease.database.opening import open_database
from tests.support.manual import until
from tests.support.waiting import LIMIT

T = TypeVar("T")
DAYS = 1e6
UNHURRIED = {"lease_ttl": "600s", "renew_every": "200s", "kill_time": "0.05s"}
"""Renewed so seldom that nothing is heard with a renewal."""


class Counted:
    """A database that counts what is asked of it, and may be asked by the test itself too."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.url, self.identity = database.url, database.identity
        self.reads = self.writes = self.under_way = 0

    async def read(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        self.reads += 1
        return await self._counted(self.database.read(unit, timeout=timeout))

    async def write(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        self.writes += 1
        return await self._counted(self.database.write(unit, timeout=timeout))

    async def _counted(self, call: Awaitable[T]) -> T:
        self.under_way += 1
        try:
            return await call
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        await self.database.close()


class WatchedIdleWait(IdleWait):
    """A rest that says whether the loop is in it, and what was heard."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.is_on = False
        self.notices: list[Notice] = []

    async def after(self, agenda: Agenda, room: RoomLeft) -> None:
        self.is_on = True
        try:
            await super().after(agenda, room)
        finally:
            self.is_on = False

    @property
    def is_sound(self) -> bool:
        """Whether nothing has woken it yet."""
        return self.is_on and not self._woken.is_set()


class WatchedWakes(Wakes):
    """What follows from what is heard, which is kept."""

    def hear(self, notice: Notice) -> None:
        cast("WatchedIdleWait", self.rest).notices.append(notice)
        super().hear(notice)


class Living:
    """A replica, and what a test asks of it."""

    def __init__(self, replica: Replica, facts: list[Fact]) -> None:
        self.replica, self.facts = replica, facts
        self.context = replica.context
        self.counted = cast("Counted", replica.context.database)

    @property
    def rest(self) -> WatchedIdleWait:
        return cast("WatchedIdleWait", self.replica.rest)

    @property
    def hearing(self) -> Hearing:
        return self.replica.hearing

    async def at_rest(self, *, hearing: bool = True) -> None:
        """Wait until it rests, and hears."""
        await until(lambda: self.hearing.works or not hearing, "it hears")

        def rests() -> bool:
            pulse_rests = not self.replica._check_in._woken.is_set()
            return self.rest.is_sound and pulse_rests and not self.counted.under_way

        await until(rests, "it rests, and nothing that it has asked is to be answered")

    async def do(self, unit: Callable[..., T], *arguments: Any, **keywords: Any) -> T:
        """Do something on its database, as somebody else would."""

        def transaction(connection: Connection) -> T:
            return unit(connection, *arguments, **keywords)

        return await self.counted.database.write(transaction)

    async def trigger(self, schedule: str = "nightly") -> int:
        return await self.do(trigger, self.context.application.name, schedule, requested_by="a test")

    async def state(self, run_id: int) -> str:
        row = await self.counted.database.read(lambda c: statements.run.read(c, run_id))
        assert row is not None
        return str(row.state)

    async def sees(self, condition: Callable[[], Awaitable[object]], what: str) -> None:
        """Wait until what is asked of the database is true."""
        deadline = monotonic() + LIMIT
        while not await condition():
            assert monotonic() < deadline, f"not within {LIMIT:g} s: {what}"
            await asyncio.sleep(0.01)

    async def becomes(self, run_id: int, state: str) -> None:
        """Wait until a run is in this state."""

        async def is_there() -> bool:
            return await self.state(run_id) == state

        await self.sees(is_there, f"run {run_id} is {state}")


@asynccontextmanager
async def living(url: str, schedules: Schedules, **more: Any) -> AsyncIterator[Living]:
    """Let a replica live during the block. What it hears is kept, and then taken in."""
    facts: list[Fact] = []
    given = {"database_url": url, "poll": DAYS, "takeover_after": DAYS, "grace": 30.0, "web": None, **UNHURRIED, **more}
    application, settings = application_of(schedules, in_children=False), Settings.model_validate(given)
    async with AsyncExitStack() as stack:
        with (
            patch.object(parts, "open_database", lambda *of, **how: Counted(open_database(*of, **how))),
            patch(f"{Replica.__module__}.IdleWait", WatchedIdleWait),
        ):
            opened = parts.opened(application, settings, TaskThread(facts.append), facts.append, {})
            replica = await stack.enter_async_context(opened)
        await stack.enter_async_context(parts.registered(replica.context))
        await replica.clean_up()
        await replica.join()
        with patch(f"{Replica.__module__}.Wakes", WatchedWakes):
            going = asyncio.create_task(replica.run())
            await until(lambda: replica.running, "it has begun")
        try:
            yield Living(replica, facts)
        finally:
            replica.stop_at_once()
            await asyncio.wait_for(going, LIMIT)
