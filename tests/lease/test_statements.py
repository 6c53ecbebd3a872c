"""The statements of the protocol in transactions of a program's own, on either kind of database."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
from sqlalchemy import event, literal, select
from sqlalchemy.engine.interfaces import CacheStats
from sqlalchemy.exc import IntegrityError

from lease import Grant, LeaseLost, create_tables, statements
from lease.database.address import parse_address
from lease.database.backend import ConnectionSettings
from lease.database.connections import connected
from lease.database.held.statement import OWN
from lease.schema import broken_under, lease
from lease.statements import Queued
from lease.waiters import LOOK, Waiter, format_waiters
from tests.lease.stores import Tables

pytestmark = pytest.mark.conformance


def test_a_batch_grants_what_is_free_or_stale_and_passes_over_the_rest(tables: Tables) -> None:
    tables.one("live", holder="ben")
    tables.one("stale", holder="ben")
    tables.make_stale("stale")
    tables.release(tables.one("free", holder="ben"))
    granted = tables.grant("live", "stale", "free", "new", "live", "new")
    assert sorted(granted) == [Grant("free", 2, "anna"), Grant("new", 1, "anna"), Grant("stale", 2, "anna")]
    assert tables.record("live").holder == "ben"
    assert tables.grant() == []


def test_settling_ends_only_what_is_stale_and_keeps_the_token(tables: Tables) -> None:
    """Rule 18, and rule 5: a clean-up touches no live lease."""
    stale, live = tables.grant("stale", "live")
    if stale.name == "live":
        stale, live = live, stale
    tables.make_stale("stale")
    assert tables.settle(stale, live) == [stale]
    assert tables.settle() == []
    assert tables.record("live").grant == live
    assert (tables.record("stale").holder, tables.record("stale").token) == (None, 1)
    assert tables.one("stale", holder="ben").token == 2


def test_a_release_names_those_who_wait(tables: Tables) -> None:
    grant = tables.one("a")
    assert tables.queue("a", holder="ben") == []
    assert tables.queue("a", holder="cleo") == []
    released = tables.run(lambda connection: statements.release(connection, grant))
    assert released.released
    assert [waiter.holder for waiter in released.waiting] == ["ben", "cleo"]


def test_a_fence_passes_for_the_grant_and_for_nothing_else(tables: Tables) -> None:
    grant = tables.one("a")
    tables.fence(grant)
    for wrong in (Grant("a", 2, "anna"), Grant("a", 1, "ben"), Grant("b", 1, "anna")):
        with pytest.raises(LeaseLost):
            tables.fence(wrong)


def test_of_several_grants_of_one_name_only_the_one_in_force_is_ended(tables: Tables) -> None:
    earlier = tables.one("a")
    tables.make_stale("a")
    later = tables.one("a", holder="ben")
    assert tables.end_dead(later, earlier, Grant("a", later.token, "anna")) == [later]


def test_a_statement_on_a_connection_of_ours_begins_a_transaction_as_any_other_would(tables: Tables) -> None:
    with connected(parse_address(tables.url), ConnectionSettings()) as plain:
        connection = plain.execution_options(**{OWN: {}})
        statements.read(connection, "a")
        assert connection.in_transaction()


def test_an_error_that_is_not_the_drivers_is_raised_as_it_is_from_a_connection_of_ours(tables: Tables) -> None:
    with connected(parse_address(tables.url), ConnectionSettings()) as plain, pytest.raises(UnicodeEncodeError):
        statements.read(plain.execution_options(**{OWN: {}}), ["\ud800"])


def test_the_database_itself_refuses_a_held_lease_without_an_end(tables: Tables) -> None:
    tables.one("a")
    with pytest.raises(IntegrityError):
        tables.value("UPDATE lease SET expires_at = NULL")
    with pytest.raises(IntegrityError):
        tables.value("UPDATE lease SET token = -1")


def test_who_leaves_a_queue_in_which_its_place_has_run_out_leaves_nothing_behind(tables: Tables) -> None:
    tables.one("a", holder="ben")
    tables.queue("a", holder="anna")
    tables.value("UPDATE lease SET waiters = :gone RETURNING 1", gone='[["anna", "anna", 1.0]]')
    tables.run(lambda connection: statements.leave_queues(connection, ["a"], "anna", lock_wait=1.0))
    assert tables.value("SELECT count(*) FROM lease WHERE waiters IS NOT NULL") == 0


def test_a_place_is_given_in_the_queue_of_its_name_and_in_no_other(tables: Tables) -> None:
    for name in ("a", "b"):
        tables.one(name, holder="ben")
    tables.run(lambda connection: statements.queue_up(connection, ["a"], "anna", "anna's host"))
    assert [waiter.holder for waiter in tables.record("a").waiting] == ["anna"]
    assert not tables.record("b").waiting


def test_who_ends_a_grant_learns_who_waits_for_its_name(tables: Tables) -> None:
    grant = tables.one("a", holder="ben")
    tables.queue("a", holder="anna")
    with tables.transaction() as connection:
        locked = statements.lock(connection, [grant])
        waiting = statements.end(connection, locked)
    assert {name: [waiter.holder for waiter in of_it] for name, of_it in waiting.items()} == {grant: ["anna"]}


def test_the_queues_of_names_are_read_by_name(tables: Tables) -> None:
    for name in ("b", "a"):
        tables.one(name, holder="ben")
    tables.queue("b", holder="anna")
    found = tables.run(lambda connection: statements.read_queues(connection, ["a", "b", "never"]))
    assert [(queue.name, [one.holder for one in queue.waiting]) for queue in found] == [("a", []), ("b", ["anna"])]


def test_a_place_that_ends_before_its_holder_looks_again_is_not_kept_whatever_others_have(tables: Tables) -> None:
    tables.one("a", holder="ben")
    tables.queue("a", holder="cleo")
    (queue,) = tables.run(lambda connection: statements.read_queues(connection, ["a"]))
    ends = format_waiters((Waiter("anna", "anna", queue.moment + LOOK / 2), *queue.waiting))
    tables.value("UPDATE lease SET waiters = :waiting RETURNING 1", waiting=ends)
    found = tables.run(statements.queueing("a", "anna", "anna", 1.0))
    assert isinstance(found, Queued)
    assert not found.keeps


def test_one_who_waits_has_its_place_whether_it_has_a_label_or_not(tables: Tables) -> None:
    tables.one("a", holder="ben")
    for holder, label in (("anna", "anna's host"), ("cleo", None)):
        tables.run(lambda c: statements.grant(c, ["a"], holder, 60.0, label=label, queue=True))  # noqa: B023
    waiting = [(one.holder, one.label) for one in tables.record("a").waiting]
    assert waiting == [("anna", "anna's host"), ("cleo", "")]


def test_what_those_who_wait_do_not_take_is_granted_to_one_who_did_not_wait(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lease.waiters.PATIENCE", 0.5)
    tables.one("a", holder="ben")
    tables.queue("a", holder="cleo")
    tables.make_stale("a")
    granted = tables.grant("a", "b", "c", holder="anna", label="anna's host")
    assert sorted(grant.name for grant in granted) == ["a", "b", "c"]
    assert tables.record("a").waiting == ()
    assert tables.record("a").label == "anna's host"


def test_the_token_of_a_slot_is_above_those_of_all_slots_of_its_lock_and_of_nothing_else(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    def granted(*names: str, holder: str = "anna", queue: bool = False) -> dict[str, int]:
        made = tables.run(
            lambda c: statements.grant(c, names, holder, 60.0, label=f"{holder}'s host", slot_of="api", queue=queue)
        )
        return {grant.name: grant.token for grant in made}

    monkeypatch.setattr("lease.waiters.PATIENCE", 0.5)
    tables.grant("ap", "api0", "api-2", "apis/2", "Api/2")
    tables.value("UPDATE lease SET token = 99 RETURNING 1")
    assert granted("api") == {"api": 1}
    assert granted("api/2", "api/10") == {"api/2": 2, "api/10": 2}
    tables.release(Grant("api", 1, "anna"))
    assert granted("api", "api/2") == {"api": 3}
    for holder in ("dan", "ben"):
        assert granted("api/10", holder=holder, queue=True) == {}
    tables.make_stale("api/10")
    assert granted("api/10", holder="ben", queue=True) == {"api/10": 4}
    assert tables.record("api/10").label == "ben's host"
    assert tables.record("api/10").waiting == ()


def test_one_who_leaves_the_queue_of_a_free_lease_learns_whose_turn_it_is(tables: Tables) -> None:
    def leave(holder: str) -> dict[str, list[str]]:
        left = tables.run(lambda c: statements.leave_queues(c, ["a", "never"], holder, lock_wait=1.0))
        return {name: [waiter.holder for waiter in waiting] for name, waiting in left.items()}

    grant = tables.one("a")
    for holder in ("ben", "cleo"):
        tables.queue("a", holder=holder)
    assert leave("dan") == {}, "somebody has it"
    tables.release(grant)
    assert leave("ben") == {"a": ["cleo"]}


def test_what_is_in_force_is_kept_so_or_locked_for_its_end_by_name_token_and_holder(tables: Tables) -> None:
    grant, other = tables.one("a"), tables.one("b", holder="ben")
    wrong = [Grant("a", 2, "anna"), Grant("a", 1, "ben"), Grant("c", 1, "anna")]
    tables.make_stale("b")
    for lock_wait in (None, 0.01):
        with tables.transaction() as connection:
            for keep in (statements.hold, statements.lock):
                assert keep(connection, [grant, *wrong, other], lock_wait=lock_wait) == {grant, other}
                assert keep(connection, wrong, lock_wait=lock_wait) == set()
                assert keep(connection, [], lock_wait=lock_wait) == set()
            assert statements.in_force(connection, grant)
            assert not any(statements.in_force(connection, one) for one in wrong)


def test_a_list_goes_on_after_a_name_and_can_leave_out_what_is_free(tables: Tables) -> None:
    for name in ("b/1", "a/1", "a/3", "a/2", "a/4"):
        tables.one(name)
    tables.release(tables.record("a/3").grant or Grant("", 0, ""))

    def listed(**given: Any) -> list[str]:
        return [one.name for one in tables.run(lambda c: statements.list_prefix(c, "a/", **given))]

    assert listed() == ["a/1", "a/2", "a/3", "a/4"]
    assert listed(free=False) == ["a/1", "a/2", "a/4"]
    assert listed(after="a/1", limit=2) == ["a/2", "a/3"]


def test_a_grant_that_was_broken_is_known_as_such_until_its_work_has_ended(tables: Tables) -> None:
    grants = [tables.one(name) for name in ("live", "ended", "stale", "whole")]
    for grant in grants[:3]:
        assert tables.run(lambda c: statements.break_grant(c, grant, by="ben", reason="it hangs"))  # noqa: B023
    tables.release(Grant("ended", 1, "broken:anna"))
    tables.make_stale("stale")

    def broken(holder: str, token: int) -> list[str]:
        found = select(lease.c.name).where(broken_under(literal(holder), literal(token)))
        return list(tables.run(lambda connection: connection.scalars(found).all()))

    assert broken("anna", 1) == ["live"]
    assert (broken("ben", 1), broken("anna", 2)) == ([], [])


def make_each_statement(tables: Tables, first: str, second: str, third: str) -> None:
    grant, broken, dead = tables.one(first), tables.one(second), tables.one(third)
    tables.queue(first, holder="ben")
    tables.run(statements.queueing(first, "cleo", "cleo's host", 1.0))
    tables.renew()
    tables.run(statements.renewing_unlocked("anna", 60.0))
    tables.fence(grant)
    tables.read(first)
    tables.run(lambda connection: statements.list_prefix(connection, first))
    tables.run(lambda connection: statements.leave_queues(connection, [first], "ben", lock_wait=1.0))
    tables.run(lambda connection: statements.break_grant(connection, broken, by="ben", reason="it hangs"))
    tables.settle(grant)
    tables.end_dead(dead)
    tables.release(grant)
    tables.run(lambda connection: statements.release_all(connection, "anna"))
    tables.run(create_tables)


def test_a_statement_in_transactions_of_a_programs_own_is_compiled_once(tables: Tables) -> None:
    """To compile it anew would take longer than its round trip."""
    compiled: list[str] = []

    def look(_connection: object, _cursor: object, sql: str, _values: object, context: Any, _many: bool) -> None:
        if context.compiled is not None and context.cache_hit is not CacheStats.CACHE_HIT:
            compiled.append(sql)

    event.listen(tables.engine, "after_cursor_execute", look)
    make_each_statement(tables, "a", "b", "c")
    tables.run(lambda connection: connection.execute(select(literal("asked here alone"))))
    assert compiled
    compiled.clear()
    make_each_statement(tables, "d", "e", "f")
    assert compiled == []


A_DAY = 86_400.0


@contextmanager
def sent_by(tables: Tables) -> Iterator[list[Any]]:
    """All values that statements are given meanwhile."""
    sent: list[Any] = []

    def before(_connection: Any, _cursor: Any, _statement: str, parameters: Any, *_: Any) -> None:
        sent.extend(flat(parameters))

    event.listen(tables.engine, "before_cursor_execute", before)
    yield sent
    event.remove(tables.engine, "before_cursor_execute", before)


def flat(values: Any) -> Iterator[Any]:
    if isinstance(values, Mapping):
        yield from flat(list(values.values()))
    elif isinstance(values, Sequence) and not isinstance(values, (str, bytes)):
        for value in values:
            yield from flat(value)
    else:
        yield values


def tells_the_time(value: Any) -> bool:
    """Whether it is a moment of the wall clock, in this program's types or in seconds."""
    return isinstance(value, date) or (isinstance(value, (int, float)) and abs(value - time.time()) < A_DAY)


def test_no_statement_takes_the_time_from_this_machines_wall_clock(tables: Tables) -> None:
    with sent_by(tables) as sent:
        first, second = tables.grant("a", "b")
        tables.renew()
        tables.run(statements.renewing_unlocked("anna", 60.0))
        assert tables.queue("a", holder="ben") == []
        assert tables.record("a").live
        assert tables.settle(first) == []
        tables.fence(first)
        tables.release(first)
        tables.end_dead(second)
    assert "anna" in sent
    assert [value for value in sent if tells_the_time(value)] == []
