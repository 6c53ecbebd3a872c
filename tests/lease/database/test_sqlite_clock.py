"""SQLite: leases expire by the clock since boot, which nobody sets, and with the boot that they were granted in."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import text

import lease.database.dialects
from lease import Grant, clock, statements
from lease.database.held.statement import Compiled
from tests.lease.stores import Tables


@pytest.fixture
def tables(sqlite_url: str) -> Iterator[Tables]:
    with Tables(sqlite_url) as tables:
        yield tables


class Machine:
    """What the library sees of it."""

    boot = ""
    up = 1_000.0


@pytest.fixture
def machine(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """One that a test sets; statements remember the clock that they were compiled with."""
    machine = Machine()
    monkeypatch.setattr(lease.database.dialects, "boot_id", lambda: machine.boot)
    monkeypatch.setattr(lease.database.dialects, "boottime", lambda: machine.up)
    tables.engine.clear_compiled_cache()
    yield machine
    tables.engine.clear_compiled_cache()


def test_setting_the_wall_clock_changes_no_lease(tables: Tables) -> None:
    """Rule 1: the wall clock is not looked at. Here a lease's own wall clock times are moved by a day."""
    grant = tables.one("a", ttl=60.0)
    for moved in (-86_400.0, 86_400.0):
        with tables.transaction() as connection:
            moving = "UPDATE lease SET granted_at = granted_at + :moved, renewed_at = renewed_at + :moved"
            connection.execute(text(moving), {"moved": moved})
        assert tables.record("a").live
        assert tables.grant("a", holder="ben") == []
        assert tables.settle(grant) == []


def test_a_lease_expires_by_the_clock_since_boot(tables: Tables, machine: Machine) -> None:
    machine.boot = "an id"
    tables.one("a", ttl=15.0)
    machine.up = 1_014.9
    assert tables.grant("a", holder="ben") == []
    machine.up = 1_015.1
    assert tables.grant("a", holder="ben") == [Grant("a", 2, "ben")]


def test_a_grant_of_an_earlier_boot_is_stale_however_far_its_clock_was(tables: Tables, machine: Machine) -> None:
    """The clock since boot begins anew: by it, the lease would last for years."""
    machine.boot, machine.up = "the boot before", 1e9
    dead = tables.one("a")
    assert tables.record("a").live
    machine.boot, machine.up = "an id", 1_000.0
    assert not tables.record("a").live
    assert tables.settle(dead) == [dead]
    assert tables.one("a", holder="ben").token == 2


@pytest.mark.parametrize(("before", "after"), [("", ""), ("an id", ""), ("", "an id")])
def test_a_live_lease_is_nobody_elses_where_the_id_of_the_boot_is_hidden_from_one_of_them(
    tables: Tables, machine: Machine, before: str, after: str
) -> None:
    """As by systemd's ``ProcSubset=pid``: a process knows no id, and the others know theirs."""
    machine.boot = before
    held = tables.one("a")
    machine.boot = after
    assert tables.record("a").live
    assert tables.grant("a", holder="ben") == []
    assert tables.settle(held) == []
    assert tables.renew()


@pytest.mark.parametrize(("id_before", "id_after"), [("", ""), ("an id", ""), ("", "an id")])
@pytest.mark.parametrize("up", [0.0, 59.0, 3_600.0, 2_591_990.0])
def test_where_an_id_of_the_boot_is_not_known_a_lease_of_an_earlier_one_is_stale_all_the_same(
    tables: Tables, machine: Machine, up: float, id_before: str, id_after: str
) -> None:
    """As on macOS and Windows, or hidden: a lease that was renewed for hours, when the machine had been up for 30 days."""
    machine.boot, machine.up = id_before, 2_592_000.0 - 36_000.0
    dead = tables.one("a")
    for machine.up in (2_592_000.0 - 18_000.0, 2_592_000.0):
        assert tables.renew()
        assert tables.record("a").live
        assert tables.grant("a", holder="ben") == []
    machine.boot, machine.up = id_after, up
    assert tables.record("a").live, "by the wall clock its ttl is not over"
    with tables.transaction() as connection:
        connection.execute(text("UPDATE lease SET renewed_at = renewed_at - 60.0"))
    assert not tables.record("a").live
    assert tables.settle(dead) == [dead]
    assert tables.one("a", holder="ben").token == 2
    assert tables.record("a").live


@pytest.mark.parametrize("boot", ["an id", ""])
def test_a_statement_that_waited_since_it_was_given_the_time_takes_no_live_lease(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, boot: str
) -> None:
    """Its process was suspended meanwhile: renewals that have been committed since have later uptimes."""
    monkeypatch.setattr(lease.database.dialects, "boot_id", lambda: boot)
    tables.engine.clear_compiled_cache()
    earlier = given(tables, monkeypatch, seconds_ago=100.0)
    tables.one("a")
    with closing(sqlite3.connect(tables.engine.url.database or "")) as connection:
        assert connection.execute(*earlier).fetchall() == []
    assert tables.record("a").holder == "anna"


def given(tables: Tables, monkeypatch: pytest.MonkeyPatch, seconds_ago: float) -> tuple[str, Any]:
    """Return a grant of "a" to another, with the parameters that it was given so long ago."""
    call = statements.granting("a", "ben", 60.0)
    wall, up = time.time() - seconds_ago, clock.boottime() - seconds_ago
    with monkeypatch.context() as earlier, tables.engine.connect() as connection:
        earlier.setattr(time, "time", lambda: wall)
        earlier.setattr(lease.database.dialects, "boottime", lambda: up)
        compiled = Compiled(call.statement._construct, connection.dialect, {})
        return compiled.text, compiled.parameters(call.values)


@pytest.mark.usefixtures("machine")
def test_a_grant_that_was_not_made_with_its_uptime_lives_by_its_expiry(tables: Tables) -> None:
    """0.1.0, on a platform without an id of the boot, leaves the uptime of the grant before."""
    tables.one("a")
    for uptime in ("NULL", "2592000.0"):
        with tables.transaction() as connection:
            connection.execute(text(f"UPDATE lease SET uptime = {uptime}"))
        assert tables.record("a").live
        assert tables.grant("a", holder="ben") == []
