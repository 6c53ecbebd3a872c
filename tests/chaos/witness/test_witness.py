"""The witness sees what the statements of the protocol do, and what they must not."""

from collections import Counter

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

import lease.statements
from daemon.execution.claim import claim
from daemon.execution.writes.transactions import EndRun, write_set
from daemon.operations.trigger import trigger
from daemon.recovery.settle import settle
from lease.database.address import parse_address
from lease.model import Grant, mark_of
from tests.chaos.history import Clocks, witnessed
from tests.chaos.users.records import broken, hand_overs
from tests.chaos.witness.sets import sets
from tests.checker.facts import Fact, GrantBegan, GrantEnded, GrantRenewed, LeaseDeleted
from tests.support.store import TTL, Store, a_schedule


def facts_after(url: str, *steps: object) -> list[Fact]:
    engine = create_engine(parse_address(url), poolclass=NullPool)
    for step in steps:
        with engine.begin() as connection:
            step(connection)  # type: ignore[operator]
    with engine.connect() as connection:
        return list(witnessed(connection, Clocks.now()))


def release(connection: Connection) -> None:
    assert lease.statements.release(connection, Grant("a", 1, "one")).released


def granting(holder: str) -> object:
    return lambda connection: lease.statements.grant(connection, ["a"], holder, 10.0)


def test_it_sees_a_grant_its_renewal_its_end_and_the_next_one(watched_url: str) -> None:
    renew = lease.statements.renewing("one", 10.0, 1.0)
    granted, renewed, ended, again = facts_after(watched_url, granting("one"), renew, release, granting("two"))
    assert isinstance(granted, GrantBegan)
    assert isinstance(renewed, GrantRenewed)
    assert isinstance(ended, GrantEnded)
    assert isinstance(again, GrantBegan)
    assert (granted.grant, renewed.grant, ended.grant) == (Grant("a", 1, "one"),) * 3
    assert again.grant == Grant("a", 2, "two")
    assert granted.until is not None
    assert 5 < (granted.until - granted.at).total_seconds() < 10.1  # it looks a moment after the grant
    assert granted.at <= renewed.at <= ended.at <= again.at


def test_it_sees_a_stale_lease_taken(watched_url: str) -> None:
    def lapse(connection: Connection) -> None:
        zero = "'epoch'" if connection.dialect.name == "postgresql" else "0"
        connection.execute(text(f"UPDATE lease SET expires_at = {zero}"))

    told = facts_after(watched_url, granting("one"), lapse, granting("two"))
    assert [fact.grant for fact in told if isinstance(fact, GrantBegan)] == [Grant("a", 1, "one"), Grant("a", 2, "two")]
    assert not [fact for fact in told if isinstance(fact, GrantEnded)]


def test_it_sees_a_holder_replaced_under_the_same_token_and_a_row_deleted(watched_url: str) -> None:
    replace, delete = (
        lambda connection, sql=sql: connection.execute(text(sql))
        for sql in ("UPDATE lease SET holder = 'two'", "DELETE FROM lease")
    )
    told = facts_after(watched_url, granting("one"), replace, delete)
    assert [fact.grant for fact in told if isinstance(fact, GrantBegan)] == [Grant("a", 1, "one"), Grant("a", 1, "two")]
    assert isinstance(told[-1], LeaseDeleted)


def test_a_break_is_the_end_of_the_grant_and_its_mark_is_none_but_when_it_is_let_go_is_seen(watched_url: str) -> None:
    grant = Grant("a", 1, "one")
    told = facts_after(
        watched_url,
        granting("one"),
        lambda connection: lease.statements.break_grant(connection, grant, by="two", reason="it hangs"),
        lambda connection: lease.statements.release(connection, mark_of(grant)),
        granting("two"),
    )
    assert [type(fact) for fact in told] == [GrantBegan, GrantEnded, GrantBegan]
    assert isinstance(told[1], GrantEnded)
    assert told[1].grant == grant
    with create_engine(parse_address(watched_url), poolclass=NullPool).connect() as connection:
        (one,) = broken(connection, Clocks.now())
    assert one.grant == grant
    assert one.let_go is not None
    assert one.at <= one.let_go < one.until


def test_it_sees_who_waited_and_since_when_the_lease_was_free(watched_url: str) -> None:
    def waiting(holder: str) -> object:
        return lambda connection: lease.statements.grant(connection, ["a"], holder, 10.0, label=holder, queue=True)

    facts_after(watched_url, granting("one"), waiting("two"), waiting("three"), release, waiting("two"))
    with create_engine(parse_address(watched_url), poolclass=NullPool).connect() as connection:
        first, second = hand_overs(connection, Clocks.now())
    assert (first.waiting, first.passed) == ((), ())
    assert second.waiting == ("two", "three")
    assert second.passed == ()
    assert second.free_since is not None
    assert first.at < second.free_since <= second.at + 0.01


# Sets


NAMES = ("a", "b", "c", "d")


def test_runs_count_by_the_transactions_that_claimed_and_ended_them(watched_url: str) -> None:
    with Store(watched_url) as store:
        store.sync(*(a_schedule(name) for name in NAMES))
        for name in NAMES:
            store.do(trigger, "shop", name, requested_by="ada")
        known = store.known(*NAMES)
        (alone,) = store.do(claim, "shop", known, "h1", None, TTL, 1)
        *two, left = store.do(claim, "shop", known, "h2", None, TTL, 10)
        store.do(write_set, [EndRun(claimed, "succeeded") for claimed in two])
        store.do(write_set, [EndRun(alone, "succeeded")])
        store.go_stale(left.grant)
        assert len(store.do(settle)) == 1
        assert len(store.do(claim, "shop", known, "h3", None, TTL, 10)) == 1
        found = store.do(sets)
    assert found.claims.of == Counter({1: 2, 3: 1})
    assert found.ends.of == Counter({1: 1, 2: 1})
    assert (found.claims.runs, found.claims.together, found.claims.largest) == (5, 3, 3)
