"""Many leases of one client on PostgreSQL: one statement renews them all (rule 7)."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from lease import LeaseTiming, events, statements
from lease.store import DatabaseStore
from lease.sync import LeaseClient
from tests.lease.stores import Recorder, Tables
from tests.support.proxy import Proxy
from tests.support.waiting import wait_until

NAMES = [f"name-{number:04}" for number in range(1_000)]
TIMING = LeaseTiming.of(ttl=12, renew_every=0.3, attempt_timeout=1.0)


@pytest.fixture
def tables(postgres_tables: Tables) -> Tables:
    return postgres_tables


@pytest.fixture
def told() -> Recorder:
    return Recorder()


@pytest.fixture
def holding(proxied_url: str, tables: Tables, told: Recorder) -> Iterator[LeaseClient]:
    """A client that holds a thousand leases."""
    with LeaseClient(proxied_url, timing=TIMING, on_event=told) as client:
        sent = client._runtime.clock()
        client._runtime.expect().result()
        grants = tables.grant(*NAMES, holder=client.holder)
        client._runtime.adopt(grants, sent).result()
        client._runtime.arrive(sure=True).result()
        yield client
        for tenure in client._runtime.core.heartbeat.tenures:  # a thousand releases are not what this is about
            client._runtime.forget(tenure).result()


def test_a_thousand_leases_are_renewed_by_one_statement_each_time(
    holding: LeaseClient, proxy: Proxy, told: Recorder
) -> None:
    told.wait_for(events.Renewed)
    begun = len(proxy.statements)
    told.wait_for(events.Renewed, number=4)
    asked = proxy.statements[begun:]
    renewals = [statement for statement in asked if "UPDATE public.lease SET" in statement]
    assert len(renewals) in (3, 4)
    assert asked == renewals, "and by nothing else: no transaction around it, no setting before it"
    assert all(len(renewed.grants) == 1_000 for renewed in told.of(events.Renewed))


def test_renewals_are_heap_only(tables: Tables) -> None:
    """The mistake of an indexed heartbeat column: 1 to 11 % heap-only updates."""
    tables.grant(*NAMES)
    before = "SELECT (n_tup_upd, n_tup_hot_upd)::text FROM pg_stat_user_tables WHERE relname = 'lease'"
    with tables.engine.connect() as connection:

        def counts() -> tuple[int, int]:
            connection.execute(text("SELECT pg_stat_clear_snapshot()"))
            updated, heap_only = str(connection.scalar(text(before))).strip("()").split(",")
            connection.rollback()
            return int(updated), int(heap_only)

        connection.execute(text("SELECT pg_stat_force_next_flush()"))
        connection.commit()
        begun = counts()
        for _ in range(20):
            assert len(statements.renew(connection, "anna", 60.0, lock_wait=1.0).pairs) == 1_000
            connection.execute(text("SELECT pg_stat_force_next_flush()"))
            connection.commit()
        wait_until(lambda: counts()[0] >= begun[0] + 20_000, "the statistics have arrived")
        updated, heap_only = (now - then for now, then in zip(counts(), begun, strict=True))
    assert heap_only / updated > 0.95


def test_expires_at_is_in_no_index_and_rows_leave_room_on_their_page(tables: Tables) -> None:
    indexes = str(tables.value("SELECT string_agg(indexdef, ';') FROM pg_indexes WHERE tablename = 'lease'"))
    assert "expires_at" not in indexes
    assert "renewed_at" not in indexes
    assert tables.value("SELECT reloptions::text FROM pg_class WHERE relname = 'lease'") == "{fillfactor=70}"


def test_a_row_that_somebody_has_locked_delays_none_of_the_others(
    holding: LeaseClient, tables: Tables, told: Recorder
) -> None:
    """Must-show 6."""
    told.wait_for(events.Renewed)
    tenures = {tenure.grant.name: tenure for tenure in holding._runtime.core.heartbeat.tenures}
    with tables.transaction() as other:
        other.execute(text("SELECT FROM lease WHERE name = 'name-0500' FOR UPDATE"))
        locked_at = len(told.of(events.Renewed))
        told.wait_for(events.AtRisk)
        told.wait_for(events.Renewed, number=locked_at + 3)
        for risk in told.of(events.AtRisk):
            assert [grant.name for grant in risk.grants] == ["name-0500"]
        assert {len(renewed.grants) for renewed in told.of(events.Renewed)[locked_at + 1 :]} == {999}
        ends = sorted((tenure.trusted_until, name) for name, tenure in tenures.items())
        assert ends[0][1] == "name-0500"
        assert ends[1][0] > ends[0][0]
        assert tenures["name-0500"].loss is None
    wait_until(lambda: len(told.of(events.Renewed)[-1].grants) == 1_000, "the row is renewed again")
    assert told.of(events.Lost) == []


@pytest.mark.anyio
async def test_the_store_tells_unknown_from_stolen(postgres_url: str, tables: Tables) -> None:
    """Rule 9."""
    locked, stolen = tables.one("locked"), tables.one("stolen")
    tables.make_stale("stolen")
    thief = tables.one("stolen", holder="ben")
    store = DatabaseStore(postgres_url, LeaseTiming.of(attempt_timeout=1.0))
    with tables.transaction() as other:
        other.execute(text("SELECT FROM lease WHERE name = 'locked' FOR UPDATE"))
        renewal = await asyncio.wait_for(store.renew("anna", 60.0, [locked, stolen]), 5)
    assert renewal.pairs == frozenset()
    assert {name: record.grant for name, record in renewal.missing.items()} == {"locked": locked, "stolen": thief}
    await store.close()


def test_nothing_held_asks_the_database_nothing(proxied_url: str, proxy: Proxy, told: Recorder) -> None:
    """Rule 8."""
    timing = LeaseTiming.of(ttl=1.5)
    with LeaseClient(proxied_url, timing=timing, on_event=told) as client:
        with client.hold("a"):
            told.wait_for(events.Renewed)
        asked = len(proxy.statements)
        wait_until(lambda: not client._runtime.core.heartbeat._wanted.is_set(), "the heartbeat rests")
        assert len(proxy.statements) == asked
