"""The public surface as a type checker sees it; checked by mypy, never run."""

from datetime import timedelta
from threading import Event
from typing import assert_type

import psycopg
from sqlalchemy import Connection, create_engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

import lease
from daemon import EmbeddedReplica, Schedules
from lease import sync
from lease.testing import ManualClock, ManualLeases, MemoryStore


async def asynchronous(connection: AsyncConnection, session: AsyncSession) -> None:
    async with lease.LeaseClient("postgresql://db/shop", timing=lease.LeaseTiming("30s")) as client:
        assert_type(client, lease.LeaseClient)
        async with client.hold("daily-report", wait="30s") as held:
            assert_type(held, lease.Lease)
            assert_type(held.token, int)
            assert_type(held.remaining(), float)
            assert_type(held.lost, Event)
            assert_type(held.loss, lease.Loss | None)
            held.ensure(at_least="5s")
            await held.fence(connection)
            await held.fence(session, bound=5)
            held.fence(Session())
            await held.fence(Session())  # type: ignore[misc]
            held.fence(connection)  # type: ignore[unused-coroutine]
        assert_type(await client.acquire("a", wait="30s"), lease.Lease)
        assert_type(await client.acquire("a", wait=timedelta(seconds=30)), lease.Lease)
        assert_type(await client.try_acquire("a"), lease.Lease | None)
        assert_type(await client.read("a"), lease.LeaseRecord | None)
        assert_type(await client.list("run/"), list[lease.LeaseRecord])
        assert_type(await client.break_lease("a", "it hangs", by="anna"), lease.Break)
        assert_type(await held.release(), bool)
        async for leading in client.lead("leader"):
            assert_type(leading, lease.Lease)
        async with client.hold("a", wait=None), client.hold("b", wait=1.5), client.hold("c"):
            pass
        async with client.acquiring() as acquisition:
            assert_type(await acquisition.adopt([lease.Grant("a", 1, client.holder)]), list[lease.Lease])


def synchronous(connection: Connection, session: Session) -> None:
    clock = ManualClock()
    with sync.LeaseClient(store=MemoryStore(clock), clock=clock, on_event=told) as client:
        with client.hold("daily-report", wait="30s") as held:
            assert_type(held, sync.Lease)
            held.fence(connection)
            held.fence(session)
            held.on_lost(lambda loss: print(loss.cause))  # noqa: T201
            held.watch(lambda trusted_until: None)
        assert_type(client.acquire("a", wait=None), sync.Lease)
        assert_type(client.try_acquire("a"), sync.Lease | None)
        assert_type(client.read("a"), lease.LeaseRecord | None)
        assert_type(client.list(), list[lease.LeaseRecord])
        assert_type(client.break_lease("a", "it hangs"), lease.Break)
        for leading in client.lead("leader"):
            assert_type(leading, sync.Lease)
    sync.LeaseClient(create_engine("sqlite:///leased.db"))


async def fences(  # noqa: PLR0917
    connection: Connection,
    session: Session,
    scoped: scoped_session[Session],
    async_connection: AsyncConnection,
    async_session: AsyncSession,
    async_scoped: async_scoped_session[AsyncSession],
    plain: psycopg.Connection[tuple[object, ...]],
    async_plain: psycopg.AsyncConnection[tuple[object, ...]],
    held: lease.Lease,
) -> None:
    grant = lease.Grant("a", 1, "holder")
    lease.fence(connection, grant)
    lease.fence(session, grant, bound="5s")
    lease.fence(scoped, grant)
    lease.fence(plain, held)
    await lease.fence(async_connection, grant)
    await lease.fence(async_session, held)
    await lease.fence(async_scoped, grant)
    await lease.fence(async_plain, grant)
    lease.fence(async_session, grant)  # type: ignore[unused-coroutine]
    lease.fence("a connection", grant)  # type: ignore[call-overload]


def told(event: lease.events.Event) -> None:
    match event:
        case lease.events.Lost(loss):
            assert_type(loss.grant, lease.Grant)
        case lease.events.Renewed(grants, margin, _):
            assert_type(grants, tuple[lease.Grant, ...])
            assert_type(margin, float)
        case _:
            pass


def transactions(connection: Connection) -> None:
    assert_type(lease.statements.grant(connection, ["a"], "holder", 15.0), list[lease.Grant])
    assert_type(lease.statements.release(connection, lease.Grant("a", 1, "holder")).released, bool)
    lease.create_tables(connection)
    assert_type(lease.parse_duration("2h30m"), float)
    assert_type(lease.format_duration(9_000), str)


def refused(error: lease.LeaseNotAcquired) -> None:
    assert_type((error.name, error.waited), tuple[str, float])
    assert_type((error.holder, error.label), tuple[str | None, str | None])
    assert_type((error.token, error.held_for), tuple[int | None, float | None])
    lease.LeaseTiming(timedelta(seconds=30), renew_every=timedelta(seconds=5))


def testing(leases: ManualLeases) -> None:
    assert_type(leases.client(label="anna"), sync.LeaseClient)
    assert_type(leases.async_client(timing=lease.LeaseTiming("30s")), lease.LeaseClient)
    leases.advance("1h")
    leases.suspend(timedelta(seconds=20))
    with leases.database_away():
        leases.fence(leases.steal("a", label="ben"))


async def embedding(schedules: Schedules) -> None:
    async with schedules.replica("sqlite:///leased.db", grace="15s", concurrency=3, take_over=True) as replica:
        assert_type(replica, EmbeddedReplica)
        assert_type((replica.label, replica.is_ready, replica.failure), tuple[str, bool, str | None])
        for problem in replica.problems().values():
            assert_type(problem, str)
    schedules.replica("sqlite:///leased.db", web="127.0.0.1:8520")  # type: ignore[call-arg]
