"""The lift of all tokens of a database that was set back to an earlier state (rules 5 and 12)."""

import time
from collections.abc import Iterator

import pytest

from lease import Grant, LeaseError, create_tables, statements
from lease.statements.restoring import MOST_GRANTS
from tests.lease.stores import Tables

SEEN = Grant("new", 1_000, "ben")
"""What a gate may have seen of a name that came after the state was saved."""


@pytest.fixture
def tables(empty_database_url: str) -> Iterator[Tables]:
    with Tables(empty_database_url) as tables:
        tables.run(create_tables)
        yield tables


def test_each_lease_begins_again_above_whatever_was_granted_before_and_is_held_by_nobody(tables: Tables) -> None:
    before = tables.one("held"), tables.one("free"), tables.one("stale")
    tables.release(before[1])
    tables.make_stale("stale")
    tables.queue("held", holder="ben")
    now = int(time.time())
    lifted = tables.run(statements.lift)
    assert lifted.token in range(now * MOST_GRANTS, (now + 60) * MOST_GRANTS)
    assert (lifted.leases, lifted.ended) == (3, ("held", "stale"))
    record = tables.record("held")
    assert (record.token, record.holder, record.label, record.waiting) == (lifted.token, None, None, ())
    assert record.free_for is not None
    assert tables.value("SELECT count(boot) FROM lease") == 0
    assert tables.one("held").token == lifted.token + 1
    assert tables.one(SEEN.name).token == lifted.token + 1


def test_it_lifts_above_a_state_whose_clock_was_ahead_however_often(tables: Tables) -> None:
    tables.one("a")
    ahead = tables.run(lambda connection: statements.lift(connection, 2**61)).token
    assert ahead > 2**61
    tables.one("b")
    assert [tables.run(statements.lift).token for _ in range(2)] == [ahead + 2, ahead + 3]
    assert tables.one("c").token == ahead + 4
    with pytest.raises(LeaseError, match="would leave too few of 64 bits"):
        tables.run(lambda connection: statements.lift(connection, 2**61))
    assert tables.record("a").token == ahead + 3


def test_whoever_may_still_be_at_work_is_named(tables: Tables) -> None:
    tables.grant("b", "a", label="anna's host")
    tables.grant("stale", "free")
    tables.make_stale("stale")
    tables.release(tables.record("free").grant or SEEN)
    assert tables.run(statements.held_now) == [("a", "anna's host"), ("b", "anna's host")]


def test_it_waits_for_other_transactions_for_a_moment_only(
    empty_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lease.statements.restoring._PATIENCE", 0.01)
    with Tables(empty_postgres_url) as tables:
        tables.run(create_tables)
        with tables.transaction() as reading:
            statements.held_now(reading)
            with pytest.raises(Exception, match="lock timeout"):
                tables.run(statements.lift)
