"""The break of a lease that another holds: who is told, when the next is granted, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from lease import (
    Grant,
    InvalidName,
    LeaseClient,
    LeaseError,
    LeaseLost,
    LeaseNotAcquired,
    LeaseTiming,
    LossKind,
    fence,
    sync,
)
from lease.testing import MemoryStore
from tests.lease.stores import SELDOM, Tables, until
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

PROMPT = LeaseTiming(ttl=60, renew_every=0.05)
"""Nothing is lost by time, and a break is heard of soon."""


@pytest.fixture
async def holder(database_url: str) -> AsyncIterator[LeaseClient]:
    async with LeaseClient(database_url, timing=PROMPT, label="anna's host:17") as client:
        yield client


@pytest.fixture
async def seldom(database_url: str) -> AsyncIterator[LeaseClient]:
    """A holder that a break does not reach while a test runs."""
    async with LeaseClient(database_url, timing=SELDOM) as client:
        yield client


@pytest.fixture
async def breaker(database_url: str) -> AsyncIterator[LeaseClient]:
    async with LeaseClient(database_url, timing=PROMPT, label="ben's host:18") as client:
        yield client


async def test_the_holder_is_told_by_whom_and_why_and_its_work_is_stopped(
    holder: LeaseClient, breaker: LeaseClient
) -> None:
    with pytest.raises(LeaseLost, match=r"broken by ben's host:18 because it hangs") as lost:  # noqa: PT012
        async with holder.hold("a") as held:
            await breaker.break_lease("a", "it hangs")
            await asyncio.sleep(LIMIT)
    assert lost.value.cause == "broken by ben's host:18 because it hangs"
    assert held.loss is not None
    assert held.loss.kind is LossKind.BROKEN


async def test_the_next_is_granted_when_the_work_has_ended_and_no_earlier(
    holder: LeaseClient, breaker: LeaseClient
) -> None:
    held = await holder.acquire("a")
    await breaker.break_lease("a", "it hangs")
    waiting = asyncio.create_task(breaker.acquire("a", wait=None))
    await until(held.lost.is_set)
    with pytest.raises(
        LeaseNotAcquired, match=r"broken by ben's host:18 .*work of anna's host:17.* may continue"
    ) as refused:
        await holder.acquire("a")
    told = refused.value
    assert (told.name, told.holder, told.label, told.token) == ("a", held.holder, "anna's host:17", 1)
    assert not waiting.done()
    assert not await held.release()
    successor = await asyncio.wait_for(waiting, LIMIT)
    assert successor.token == 2
    await successor.release()


async def test_work_that_ended_before_it_was_told_keeps_nobody_waiting(
    seldom: LeaseClient, breaker: LeaseClient
) -> None:
    held = await seldom.acquire("a")
    await breaker.break_lease("a", "it hangs")
    assert not await held.release()
    assert (await asyncio.wait_for(breaker.acquire("a", wait=None), LIMIT)).token == 2
    await until(lambda: seldom._runtime.core.heartbeat._orphans.leaving == [])


async def test_its_fences_fail_at_once(seldom: LeaseClient, breaker: LeaseClient, engine: Engine) -> None:
    held = await seldom.acquire("a")
    await breaker.break_lease("a", "it hangs")
    held.ensure()
    with engine.begin() as connection, pytest.raises(LeaseLost, match="token 1 has ended"):
        fence(connection, held.grant)


async def test_a_break_is_recorded_and_shown(seldom: LeaseClient, breaker: LeaseClient) -> None:
    held = await seldom.acquire("a")
    made = await breaker.break_lease("a", "it hangs", by="carol")
    assert (made.by, made.reason, made.holder, made.token) == ("carol", "it hangs", held.holder, 1)
    assert made.label == seldom.label
    assert abs(made.at - datetime.now(UTC)) < timedelta(minutes=10)
    record = await breaker.read("a")
    assert record is not None
    assert record.broken == made
    await held.release()
    (listed,) = await breaker.list("a")
    assert listed.broken == made


async def test_a_second_break_changes_nothing(seldom: LeaseClient, breaker: LeaseClient, holder: LeaseClient) -> None:
    await seldom.acquire("a")
    made = await breaker.break_lease("a", "it hangs")
    assert await holder.break_lease("a", "so I think too", by="carol") == made
    assert await breaker.break_lease("a", "again") == made


async def test_what_was_broken_before_and_granted_anew_is_broken_anew(
    seldom: LeaseClient, breaker: LeaseClient
) -> None:
    held = await seldom.acquire("a")
    assert (await breaker.break_lease("a", "it hangs")).token == 1
    await held.release()
    assert (await seldom.acquire("a", wait=LIMIT)).token == 2  # the mark is ended beside the release
    made = await breaker.break_lease("a", "it hangs again")
    assert (made.token, made.reason) == (2, "it hangs again")


async def test_what_is_free_or_ones_own_or_the_daemons_is_not_broken(breaker: LeaseClient, tables: Tables) -> None:
    with pytest.raises(LeaseError, match="lease 'a' is free: there is nothing to break"):
        await breaker.break_lease("a", "it hangs")
    held = await breaker.acquire("a")
    with pytest.raises(LeaseError, match="held by this client itself: release it instead"):
        await breaker.break_lease("a", "it hangs")
    await held.release()
    with pytest.raises(LeaseError, match="lease 'a' is free: there is nothing to break"):
        await breaker.break_lease("a", "it hangs")
    tables.one("run/shop/nightly")
    with pytest.raises(LeaseError, match=r"belongs to the daemon.*cancel the run instead"):
        await breaker.break_lease("run/shop/nightly", "it hangs")


@pytest.mark.parametrize("wrong", ["", "   ", "two\nlines", "x" * 1_001, b"bytes", 7])
async def test_a_reason_or_a_name_that_nobody_can_read_is_refused(
    breaker: LeaseClient, tables: Tables, wrong: Any
) -> None:
    grant = tables.one("a")
    with pytest.raises(LeaseError, match="the reason of a break must be one line"):
        await breaker.break_lease("a", wrong)
    with pytest.raises(LeaseError, match="the name of who breaks a lease must be one line"):
        await breaker.break_lease("a", "it hangs", by=wrong)
    assert tables.record("a").grant == grant


@pytest.mark.parametrize("wrong", ["", "two\nlines", "x" * 256, None, 7])
async def test_what_cannot_be_the_name_of_a_lease_is_refused(breaker: LeaseClient, wrong: Any) -> None:
    with pytest.raises(InvalidName):
        await breaker.break_lease(wrong, "it hangs")


async def test_a_break_waits_for_an_open_fenced_transaction_and_says_so(
    postgres_url: str, postgres_tables: Tables
) -> None:
    grant = postgres_tables.one("a")
    async with LeaseClient(postgres_url, timing=PROMPT) as breaker:
        with postgres_tables.transaction() as connection:
            fence(connection, grant)
            connection.execute(text("CREATE TABLE written (token bigint)"))
            with pytest.raises(LeaseError, match="cannot be broken yet: a transaction that is fenced with it"):
                await breaker.break_lease("a", "it hangs")
            assert postgres_tables.record("a").grant == grant
        assert (await breaker.break_lease("a", "it hangs")).token == 1


def test_a_sync_client_breaks_and_is_broken_too(database_url: str) -> None:
    with (
        sync.LeaseClient(database_url, timing=PROMPT) as holder,
        sync.LeaseClient(database_url, timing=PROMPT, label="ben") as breaker,
    ):
        with pytest.raises(LeaseLost, match=r"broken by ben because it hangs"), holder.hold("a") as held:  # noqa: PT012
            breaker.break_lease("a", "it hangs")
            assert held.lost.wait(LIMIT)
            assert breaker.try_acquire("a") is None
        assert breaker.acquire("a", wait=LIMIT).token == 2


class Restless(MemoryStore):
    """Whenever a lease is to be broken, another has it."""

    async def break_grant(self, grant: Grant, by: str, reason: str) -> None:
        del grant, by, reason


async def test_a_lease_that_changes_hands_all_the_time_is_not_said_to_be_broken() -> None:
    store = Restless()
    async with LeaseClient(store=store) as holder, LeaseClient(store=store) as breaker:
        await holder.acquire("a")
        with pytest.raises(LeaseError, match="'a' has changed hands 3 times while it was being broken; try again"):
            await breaker.break_lease("a", "it hangs")
