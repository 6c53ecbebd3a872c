"""Many leases of one client on PostgreSQL: one statement renews them all (rule 7)."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from lease import LeaseTiming, events, statements
from lease.core import Core
from lease.database_store import DatabaseStore
from lease.heartbeat.heartbeat import ANY_NAME, Flight
from lease.sync import LeaseClient
from tests.lease.stores import Recorder, Tables
from tests.support.proxy import Proxy
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.anyio

NAMES = [f"name-{number:04}" for number in range(1_000)]
TIMING = LeaseTiming(ttl=12, renew_every=0.3, attempt_timeout=1.0)


def forget_all(core: Core) -> None:
    for state in core.heartbeat.held.all():
        core.heartbeat.forget(state)


@pytest.fixture
def tables(postgres_tables: Tables) -> Tables:
    return postgres_tables


@pytest.fixture
def holding(proxied_url: str, tables: Tables, told: Recorder) -> Iterator[LeaseClient]:
    """A client that holds a thousand leases."""
    with LeaseClient(proxied_url, timing=TIMING, on_event=told) as client:
        sent = client._runtime.clock()
        flight = Flight(ANY_NAME)
        client._runtime.call(lambda core: core.heartbeat.flights.under_way.add(flight)).result()
        grants = tables.grant(*NAMES, holder=client.holder)
        client._runtime.call(lambda core: [core.heartbeat.adopt(grant, sent) for grant in grants]).result()
        client._runtime.call(lambda core: core.heartbeat.end_flight(flight, sure=True)).result()
        yield client
        client._runtime.call(forget_all).result()  # a thousand releases are not what this is about


def test_a_thousand_leases_are_renewed_by_one_statement_each_time(
    holding: LeaseClient, proxy: Proxy, told: Recorder
) -> None:
    told.wait_for(events.Renewed)
    begun, before = len(proxy.statements), len(told.of(events.Renewed))
    told.wait_for(events.Renewed, number=before + 4)
    answered = len(told.of(events.Renewed)) - before
    asked = proxy.statements[begun:]
    renewals = [statement for statement in asked if "UPDATE public.lease SET" in statement]
    sent = len(told.of(events.Renewed)) - before + 1
    assert answered - 1 <= len(renewals) <= sent + 1, "one may have been on its way at either end"
    assert asked == renewals, "and by nothing else: no transaction around it, no setting before it"
    assert all(len(renewed.grants) == 1_000 for renewed in told.of(events.Renewed))


def test_renewals_are_heap_only(tables: Tables) -> None:
    """The mistake of an indexed heartbeat column: 1 to 11 % heap-only updates.

    While a transaction of any other test is open, nothing old can be removed from a page: so the share is asked for again.
    """
    tables.grant(*NAMES)
    counts = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'lease'"

    def share() -> float:
        with tables.engine.connect() as connection:
            seen = []
            for renewals in (0, 10):
                for _ in range(renewals):
                    assert len(statements.renewing("anna", 60.0, 1.0)(connection).pairs) == 1_000
                    connection.commit()
                connection.execute(text("SELECT pg_stat_force_next_flush()"))
                connection.commit()
                seen.append(connection.execute(text(counts)).one())
                connection.commit()
        (all_before, heap_only_before), (all_after, heap_only_after) = seen
        assert all_after - all_before == 10_000
        return float((heap_only_after - heap_only_before) / 10_000)

    wait_until(lambda: share() > 0.95, "renewals are heap-only")


def test_expires_at_is_in_no_index_and_rows_leave_room_on_their_page(tables: Tables) -> None:
    indexes = str(tables.value("SELECT string_agg(indexdef, ';') FROM pg_indexes WHERE tablename = 'lease'"))
    assert "expires_at" not in indexes
    assert "renewed_at" not in indexes
    assert tables.value("SELECT reloptions::text FROM pg_class WHERE relname = 'lease'") == "{fillfactor=70}"


def test_a_row_that_somebody_has_locked_delays_none_of_the_others(
    holding: LeaseClient, tables: Tables, told: Recorder
) -> None:
    told.wait_for(events.Renewed)
    states = {state.grant.name: state for state in holding._runtime.core.heartbeat.held.all()}
    with tables.transaction() as other:
        other.execute(text("SELECT FROM lease WHERE name = 'name-0500' FOR UPDATE"))
        locked_at = len(told.of(events.Renewed))
        told.wait_for(events.AtRisk)
        told.wait_for(events.Renewed, number=locked_at + 3)
        for risk in told.of(events.AtRisk):
            assert [grant.name for grant in risk.grants] == ["name-0500"]
        assert {len(renewed.grants) for renewed in told.of(events.Renewed)[locked_at + 1 :]} == {999}
        ends = sorted((state.trusted_until, name) for name, state in states.items())
        assert ends[0][1] == "name-0500"
        assert ends[1][0] > ends[0][0]
        assert states["name-0500"].loss is None
    wait_until(lambda: len(told.of(events.Renewed)[-1].grants) == 1_000, "the row is renewed again")
    assert told.of(events.Lost) == []


async def test_the_store_tells_unknown_from_stolen(postgres_url: str, tables: Tables) -> None:
    """Rule 9."""
    locked, stolen = tables.one("locked"), tables.one("stolen")
    tables.make_stale("stolen")
    thief = tables.one("stolen", holder="ben")
    store = DatabaseStore(postgres_url, LeaseTiming(attempt_timeout=1.0))
    with tables.transaction() as other:
        other.execute(text("SELECT FROM lease WHERE name = 'locked' FOR UPDATE"))
        renewal = await asyncio.wait_for(store.renew("anna", 60.0, [locked, stolen]), LIMIT)
    assert renewal.pairs == frozenset()
    assert {name: record.grant for name, record in renewal.missing.items()} == {"locked": locked, "stolen": thief}
    assert renewal.database_time is not None, "what was found instead tells it"
    await store.close()
