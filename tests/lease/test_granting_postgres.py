"""Granting and renewing on PostgreSQL beside transactions that are open: who waits for whom (rules 1, 4 and 7)."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from lease import Grant, LeaseTiming, events, statements
from lease.clock import boottime
from lease.core import Core
from lease.database_store import DatabaseStore
from lease.heartbeat.heartbeat import ANY_NAME, Flight
from lease.sync import LeaseClient
from tests.lease.stores import Recorder, Tables, in_thread
from tests.support.proxy import Proxy
from tests.support.starvation import Starvation
from tests.support.waiting import LIMIT, wait_until


def lock(connection: Connection, name: str, strength: str = "UPDATE") -> None:
    connection.execute(text(f"SELECT FROM lease WHERE name = :name FOR {strength}"), {"name": name})


@pytest.fixture
def tables(postgres_tables: Tables) -> Tables:
    return postgres_tables


@pytest.mark.parametrize("strength", ["UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE"])
def test_granting_passes_over_a_row_that_is_locked_however_it_is(tables: Tables, strength: str) -> None:
    """Rule 4."""
    tables.one("locked", holder="ben")
    tables.make_stale("locked")
    with tables.transaction() as other:
        lock(other, "locked", strength)
        with in_thread(lambda: tables.grant("locked", "free")) as granted:
            assert granted() == [Grant("free", 1, "anna")]
    assert tables.one("locked").token == 2


def test_who_takes_a_place_in_many_queues_passes_over_a_row_that_is_locked(tables: Tables) -> None:
    for name in ("free", "locked"):
        tables.one(name, holder="ben")
    with tables.transaction() as other:
        lock(other, "locked")
        with in_thread(
            lambda: tables.run(lambda c: statements.queue_up(c, ["free", "locked"], "anna", "anna's host"))
        ) as queued:
            queued()
    assert [bool(tables.record(name).waiting) for name in ("free", "locked")] == [True, False]


@pytest.mark.parametrize("waits", [True, False])
def test_a_fence_is_not_in_the_way_of_those_who_take_and_leave_places(tables: Tables, *, waits: bool) -> None:
    fenced = tables.one("a", holder="ben")
    with tables.transaction() as connection:
        statements.fence(connection, fenced)
        wait = 0.01 if waits else None
        tables.run(lambda c: statements.grant(c, ["a"], "anna", 60.0, queue=True, lock_wait=wait))
        assert tables.record("a").waiting
        tables.run(lambda c: statements.leave_queues(c, ["a"], "anna", lock_wait=0.01))
        assert not tables.record("a").waiting


def test_one_who_takes_or_leaves_a_place_waits_for_a_lock_of_its_row_no_longer_than_it_says(tables: Tables) -> None:
    tables.one("a", holder="ben")
    with tables.transaction() as other:
        lock(other, "a")
        with pytest.raises(Exception, match="lock timeout"):
            tables.run(lambda c: statements.grant(c, ["a"], "anna", 60.0, queue=True, lock_wait=0.01))
        with pytest.raises(Exception, match="lock timeout"):
            tables.run(lambda c: statements.leave_queues(c, ["a"], "anna", lock_wait=0.01))


def test_what_is_held_is_kept_from_its_end_and_from_nothing_else(tables: Tables) -> None:
    """Rule 11: neither from other transactions that hold it, nor from its renewal."""
    grant = tables.one("a")
    for lock_wait in (None, 0.01):
        with tables.transaction() as holding:
            assert statements.hold(holding, [grant], lock_wait=lock_wait) == {grant}
            for wait in (None, 0.01):
                assert tables.run(lambda c: statements.hold(c, [grant], lock_wait=wait)) == {grant}  # noqa: B023
            tables.fence(grant)
            assert tables.renew() == {("a", 1)}
            assert tables.run(lambda c: statements.lock(c, [grant])) == set()
            assert tables.end_dead(grant) == []
            with pytest.raises(Exception, match="lock timeout"):
                tables.run(lambda c: statements.lock(c, [grant], lock_wait=0.01))


def test_what_is_locked_for_its_end_is_passed_over_or_waited_for_by_those_who_hold_it(tables: Tables) -> None:
    grant, other = tables.one("a"), tables.one("b")
    with tables.transaction() as ending:
        assert statements.lock(ending, [grant]) == {grant}
        assert tables.run(lambda c: statements.hold(c, [grant, other])) == {other}
        assert tables.run(lambda c: statements.in_force(c, grant))
        with pytest.raises(Exception, match="lock timeout"):
            tables.run(lambda c: statements.hold(c, [grant, other], lock_wait=0.01))


def test_granting_passes_over_a_live_row_that_is_fenced_and_locks_no_live_row(tables: Tables) -> None:
    """Rule 4, and the mistake of ON CONFLICT DO UPDATE ... WHERE: it locks live rows."""
    live = tables.one("live", holder="ben")
    with tables.transaction() as fenced:
        statements.fence(fenced, live)
        with in_thread(lambda: tables.grant("live", "other")) as granted:
            assert granted() == [Grant("other", 1, "anna")]
    with tables.transaction() as granting:
        statements.grant(granting, ["live"], "anna", 60.0)
        with in_thread(lambda: tables.renew("ben")) as renewed:
            assert renewed() == {("live", 1)}


def test_settling_and_ending_the_dead_lock_no_row_of_another_grant(tables: Tables) -> None:
    """Rule 18: whatever of it is as it was, its name, its token or its holder."""
    lives = [tables.one("a"), tables.one("b", holder="ben")]
    others = [Grant("a", 2, "anna"), Grant("b", 2, "ben"), Grant("a", 1, "ben"), Grant("b", 1, "anna")]
    tables.make_stale("a", "b")
    for end in (statements.settle, statements.end_dead):
        with tables.transaction() as ending:
            assert end(ending, others) == []
            with in_thread(lambda: [*tables.renew("anna"), *tables.renew("ben")]) as renewed:
                assert renewed() == [(grant.name, grant.token) for grant in lives]
        tables.make_stale("a", "b")


def test_batches_in_opposite_order_do_not_deadlock(tables: Tables) -> None:
    names = [f"name-{number:02}" for number in range(20)]
    granted: list[list[Grant]] = []
    errors: list[BaseException] = []
    start = threading.Barrier(4)

    def work(holder: str, order: list[str]) -> None:
        try:
            start.wait(LIMIT)
            for _ in range(10):
                mine = tables.grant(*order, holder=holder)
                granted.append(mine)
                tables.release_all(mine)
        except BaseException as error:  # noqa: BLE001 - the test's thread tells of it
            errors.append(error)

    threads = [
        threading.Thread(target=work, args=(f"holder-{number}", names if number % 2 else names[::-1]))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert not errors
    pairs = [(grant.name, grant.token) for batch in granted for grant in batch]
    assert len(pairs) == len(set(pairs)), "a token was granted twice"


def test_two_who_grant_a_new_name_at_the_same_time_are_granted_it_once(tables: Tables) -> None:
    start = threading.Barrier(2)

    def work(holder: str) -> list[Grant]:
        start.wait(LIMIT)
        return [grant for number in range(30) for grant in tables.grant(f"name-{number}", holder=holder)]

    with in_thread(lambda: work("anna")) as anna, in_thread(lambda: work("ben")) as ben:
        assert sorted(grant.name for grant in anna() + ben()) == sorted(f"name-{number}" for number in range(30))


def test_granting_a_new_name_does_not_wait_for_another_who_is_granted_it_for_the_first_time(tables: Tables) -> None:
    """Rule 4: not for a row that is being inserted either, by a transaction that may be paused."""
    with tables.transaction() as other:
        assert statements.grant(other, ["new", "too"], "ben", 60.0)
        with in_thread(lambda: tables.grant("new", "free")) as granted:
            assert granted() == [Grant("free", 1, "anna")]
    assert tables.grant("new") == []
    assert tables.record("new").holder == "ben"


def test_a_first_grant_that_was_rolled_back_is_in_nobodys_way(tables: Tables) -> None:
    with tables.engine.connect() as other, other.begin() as transaction:
        statements.grant(other, ["new"], "ben", 60.0)
        transaction.rollback()
        assert tables.grant("new") == [Grant("new", 1, "anna")]


def test_the_clock_is_that_of_the_moment_not_of_the_transactions_start(tables: Tables) -> None:
    """Rule 1, and the mistake of now() in a longer transaction."""
    with tables.transaction() as long:
        begun = long.scalar(text("SELECT now()"))
        tables.one("short", holder="ben", ttl=0.1)
        long.execute(text("SELECT pg_sleep(0.2)"))
        assert statements.grant(long, ["short"], "anna", 60.0) == [Grant("short", 2, "anna")]
        record = statements.reading(["short"])(long)["short"]
        assert record.granted_at is not None
        assert record.granted_at > begun
        assert record.expires_in is not None
        assert record.expires_in > 50


def test_a_grant_that_goes_stale_during_a_transaction_is_settled_in_it(tables: Tables) -> None:
    """Rule 1."""
    with tables.transaction() as long:
        long.execute(text("SELECT 1"))
        grant = tables.one("short", ttl=60.0)
        assert statements.settle(long, [grant]) == []
        ends = "UPDATE lease SET expires_at = clock_timestamp() + interval '0.05 s'"
        tables.run(lambda connection: connection.execute(text(ends)))
        long.execute(text("SELECT pg_sleep(0.1)"))
        assert not statements.reading(["short"])(long)["short"].live
        assert statements.settle(long, [grant]) == [grant]


def test_a_lease_renewed_just_before_it_would_be_stolen_is_not(tables: Tables) -> None:
    """Rule 4: what was locked is checked again."""
    tables.one("a", holder="ben")
    tables.make_stale("a")
    with tables.transaction() as renewing:
        statements.renewing("ben", 60.0, 0.5)(renewing)
        with in_thread(lambda: tables.grant("a")) as granted:
            assert granted() == []
    assert tables.grant("a") == []


def test_a_renewal_waits_for_a_locked_row_no_longer_than_it_says(tables: Tables, starvation: Starvation) -> None:
    tables.grant("locked", "free")
    with tables.transaction() as other:
        lock(other, "locked")
        begun = boottime()
        with pytest.raises(Exception, match="lock timeout"):
            tables.renew()
        starvation.assert_within(3.0, begun, boottime(), "it is refused")
        statements.fence(other, Grant("free", 1, "anna"))  # which is no lock in its way
        unlocked = tables.run(statements.renewing_unlocked("anna", 60.0))
        assert unlocked.pairs == {("free", 1)}


def test_a_renewal_leaves_no_setting_behind(tables: Tables) -> None:
    tables.one("a")
    with tables.engine.connect() as connection:
        with connection.begin():
            statements.renewing("anna", 60.0, 0.5)(connection)
        assert connection.scalar(text("SHOW lock_timeout")) == "0"


NAMES = [f"name-{number:04}" for number in range(1_000)]
TIMING = LeaseTiming(ttl=12, renew_every=0.3, attempt_timeout=1.0)


def forget_all(core: Core) -> None:
    for state in core.heartbeat.held.all():
        core.heartbeat.forget(state)


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


@pytest.mark.anyio
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
