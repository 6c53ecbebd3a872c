"""The fleet is pinged by one replica a minute, and not while a schedule should have succeeded and has not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import update

from daemon import AsyncRun, Schedules
from daemon.delivery import fleet_ping
from daemon.delivery.fleet_ping import EVERY, FleetPing, past_deadline
from daemon.delivery.sending import Sender
from daemon.store.views.fleet import read_fleet
from daemon.telemetry.facts import Note
from daemon.testing import ManualReplica, ManualStore
from daemon.web.database_thread import DatabaseThread
from lease.database.dialects import now
from lease.schema import lease
from tests.support.manual import ONE_O_CLOCK
from tests.support.receiver import Receiver
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def a_fleet(receiver: Receiver, *, is_alive: bool = True) -> AsyncIterator[tuple[ManualReplica, FleetPing]]:
    schedules = Schedules("shop")

    async def export(run: AsyncRun) -> None:
        if run.params.get("fails"):
            raise ValueError("no disk")

    schedules.add("nightly", cron="0 2 * * *", finish_by="1h", params={"fails": False}).job(export)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        context = replica.context
        yield (
            replica,
            FleetPing(context, {"ping": True, "url": receiver.url}, Sender({}, Path()), lambda: is_alive),
        )


async def overdue(replica: ManualReplica) -> list[str]:
    return past_deadline(await replica.store.read(read_fleet), "shop")


async def a_minute_passes(replica: ManualReplica) -> None:
    """Let it pass since the ping, whose lease was granted by another clock than that of the test."""
    granted = update(lease).where(lease.c.name == "ping/shop").values(granted_at=now())
    await replica.store.write(lambda connection: connection.execute(granted))
    replica.store.clock.advance(EVERY)


async def test_it_is_pinged_once_a_minute_whoever_does_it(receiver: Receiver) -> None:
    async with a_fleet(receiver) as (replica, ping):
        for _ in range(3):
            await ping.ping(lambda: overdue(replica))
        assert [request.method for request in receiver.requests] == ["GET"]
        await a_minute_passes(replica)
        await ping.ping(lambda: overdue(replica))
        assert len(receiver.requests) == 2


async def test_a_schedule_past_its_deadline_stops_the_pings_and_is_told_once(receiver: Receiver) -> None:
    async with a_fleet(receiver) as (replica, ping):
        replica.store.clock.advance(2.5 * 3600)
        for _ in range(2):
            await ping.ping(lambda: overdue(replica))
            await a_minute_passes(replica)
        assert receiver.requests == []
        said = [fact.text for fact in replica.facts if isinstance(fact, Note) and fact.is_warning]
        assert said == ["the fleet is not pinged: nightly should have succeeded by now"]
        await replica.work()
        await ping.ping(lambda: overdue(replica))
        assert len(receiver.requests) == 1


async def test_an_error_of_ours_is_told_and_ends_neither_the_pings_nor_the_replica(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_ping, "EVERY", 0.01)
    asked = asyncio.Queue[None]()

    async def ping_badly(overdue: object) -> None:
        asked.put_nowait(None)
        raise ValueError("an odd definition")

    async with a_fleet(receiver) as (replica, ping):
        monkeypatch.setattr(ping, "ping", ping_badly)
        task = asyncio.create_task(ping.ping_on(DatabaseThread("sqlite://", "ping", timeout=1.0, connections=1)))
        async with asyncio.timeout(LIMIT):
            for _ in range(2):
                await asked.get()
        task.cancel()
        (said,) = [fact.text for fact in replica.facts if isinstance(fact, Note) and fact.is_warning]
        assert said.endswith("internal error in leased; runs continue: ValueError('an odd definition')")


async def test_a_replica_whose_loops_stand_still_does_not_ping(receiver: Receiver) -> None:
    async with a_fleet(receiver, is_alive=False) as (replica, ping):
        await ping.ping(lambda: overdue(replica))
    assert receiver.requests == []
