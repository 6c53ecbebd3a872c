"""The ping of the whole fleet: a monitor hears every minute that all is well, and alarms when it hears nothing.

One replica of an application at a time pings, under the lease `ping/<application>`. None does while a schedule is past its
deadline, while its loops stand still, or if none lives: then the monitor alarms.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from random import uniform
from typing import Any

from lease.database.database import OwnDatabase
from lease.errors import LeaseError

from ..execution.context import ReplicaContext
from ..operations.deadlines import success_deadline
from ..own_thread import beside
from ..store import statements
from ..store.policies import read_policies
from ..store.tables import ScheduleKey
from ..store.views.fleet import Fleet, ScheduleFacts, read_fleet
from ..telemetry.facts import Note
from ..text import listed
from ..web.database_thread import DatabaseThread
from .message import Message
from .sending import Sender

PINGING = "ping/"
"""The beginning of the name of the lease under which a replica pings for the whole fleet; the application follows."""
EVERY = 60.0
"""Seconds between two pings of the fleet."""
_PATIENCE = 10.0
_MOST_NAMED = 5


class FleetPing:
    """Pings a monitor for the application of a replica, as long as ``is_alive``."""

    def __init__(
        self, context: ReplicaContext, target: Mapping[str, Any], sender: Sender, is_alive: Callable[[], bool]
    ) -> None:
        self._context, self._application = context, context.application.name
        self._target = target
        self._is_alive = is_alive
        self._sender = sender
        self._said: str | None = None

    async def ping_on(self, thread: DatabaseThread) -> None:
        """Ping every minute, unless another replica does."""
        while True:
            await asyncio.sleep(uniform(0.9, 1.1) * EVERY)  # noqa: S311 - it only spreads the replicas
            try:
                await self.ping(lambda: thread.do(self._overdue))
            except LeaseError:  # the next one is in a minute
                pass
            except Exception as error:  # noqa: BLE001 - a ping must not end the replica
                self._say(f"the fleet is not pinged: internal error in leased; runs continue: {error!r}")

    async def ping(self, overdue: Callable[[], Any]) -> None:
        """Ping once, unless another replica has just done so, or something is wrong: that is logged once."""
        name = f"{PINGING}{self._application}"
        lately = await self._context.database.read(lambda c: statements.keeping.was_granted(c, name, 0.8 * EVERY))
        held = None if lately or not self._is_alive() else await self._context.client.try_acquire(name)
        if held is None:
            return
        try:
            self._say(await self._ping(await overdue()))
        finally:
            with suppress(LeaseError):
                await held.release()

    async def _ping(self, overdue: Collection[str]) -> str | None:
        """Ping, and return what is wrong; None: nothing."""
        if overdue:
            return f"the fleet is not pinged: {listed(sorted(overdue), _MOST_NAMED)} should have succeeded by now"
        message = Message(0, "ping.success", self._application, "", None, datetime.now(UTC), "all is well")
        reply = await self._sender.send(self._target, message)
        return None if reply.delivered else f"the ping of the fleet was not delivered: {reply.text}"

    def _say(self, wrong: str | None) -> None:
        if wrong is not None and wrong != self._said:
            self._context.notify(Note(wrong, is_warning=True))
        self._said = wrong

    async def _overdue(self, database: OwnDatabase) -> list[str]:
        fleet = await database.read(lambda c: read_fleet(c, usual=lambda schedules, *_: self._owed(schedules)))
        return past_deadline(fleet, self._application)

    def _owed(self, schedules: Collection[ScheduleFacts]) -> list[ScheduleKey]:
        return [
            (one.application, one.schedule)
            for one in schedules
            if one.application == self._application and (one.owed is not None or one.missed is not None)
        ]


def past_deadline(fleet: Fleet, application: str) -> list[str]:
    """Return the schedules of an application that should have succeeded by now."""
    now = fleet.database_time.timestamp()
    found = []
    for one in fleet.schedules:
        if one.application == application and not one.paused:
            usual = fleet.usual.get((one.application, one.schedule))
            by = success_deadline(one, read_policies(fleet.definitions.get(one.digest, "{}")), usual)
            if by is not None and by < now:
                found.append(one.schedule)
    return found


@asynccontextmanager
async def pinging(ping: FleetPing | None, url: str) -> AsyncIterator[None]:
    """Ping in the background during the block."""
    if ping is None:
        yield
        return
    thread = DatabaseThread(url, "ping", timeout=_PATIENCE, connections=1)
    try:
        async with beside(ping.ping_on(thread)):
            yield
    finally:
        thread.close()
