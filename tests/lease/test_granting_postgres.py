"""Granting and renewing on PostgreSQL beside transactions that are open: who waits for whom (rules 1, 4 and 7)."""

import threading

import pytest
from sqlalchemy import Connection, text

from lease import Grant, statements
from lease.clock import boottime
from tests.lease.stores import Tables, in_thread
from tests.support.starvation import Starvation
from tests.support.waiting import LIMIT


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


def test_settling_passes_over_a_row_that_is_fenced(tables: Tables) -> None:
    """Rule 18: it never waits."""
    fenced, other = tables.one("fenced"), tables.one("other")
    tables.make_stale("fenced", "other")
    with tables.transaction() as connection:
        statements.fence(connection, fenced)
        with in_thread(lambda: tables.settle(fenced, other)) as settled:
            assert settled() == [other]
    assert tables.settle(fenced) == [fenced]


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
