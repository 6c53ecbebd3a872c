"""Wires: connections over which callers send statements themselves, from threads and event loops."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import Double, bindparam, func, select, text

from lease import statements
from lease.database.database import OwnDatabase
from lease.database.held.statement import Call, Rows, Statement
from lease.database.opening import open_database
from lease.database.wires import NothingSentError, Wire, WireFailed
from lease.database.wires.of_libpq import _LibpqWire
from lease.database.writer_gate import WriterGate
from lease.schema import lease
from tests.lease.stores import Tables, until
from tests.support.proxy import Proxy
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

READ = statements.reading(["a"])
OPEN = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'of wires'"


def opened(url: str) -> OwnDatabase:
    return open_database(url, timeout=LIMIT, connections=1, application="of wires")


async def wire_to(url: str) -> Wire:
    wire = await opened(url).wire()
    assert wire is not None
    return wire


def close(wire: Wire, patience: float = LIMIT) -> None:
    """Close it, and see that it waits for nothing that has ended."""
    begun = monotonic()
    wire.close(patience)
    assert monotonic() - begun < LIMIT / 2


@contextmanager
def closing_now(wire: Wire) -> Iterator[Wire]:
    yield wire
    close(wire)


@pytest.fixture
async def wire(database_url: str) -> AsyncIterator[Wire]:
    wire = await wire_to(database_url)
    yield wire
    close(wire)


@pytest.fixture
async def to_postgres(postgres_url: str) -> AsyncIterator[Wire]:
    wire = await wire_to(postgres_url)
    yield wire
    close(wire)


def sleeping(seconds: float) -> Call[Rows]:
    return Call(Statement(select(func.pg_sleep(bindparam("s", type_=Double())))), {"s": seconds}, list)


async def test_a_statement_may_be_larger_than_what_is_sent_at_once(wire: Wire) -> None:
    large = statements.reading(["x" * 10_000_000])
    assert await wire.send_in_loop(large) == {}
    assert await asyncio.to_thread(wire.send_in_thread, large) == {}
    assert wire.send_in_thread(READ) == await wire.send_in_loop(READ) == {}
    assert wire.is_well


async def test_what_no_encoding_has_is_not_sent(to_postgres: Wire) -> None:
    unknown = statements.reading(["\ud800"])
    with pytest.raises(NothingSentError):
        await to_postgres.send_in_loop(unknown)
    with pytest.raises(NothingSentError):
        to_postgres.send_in_thread(unknown)
    assert to_postgres.is_well
    assert await to_postgres.send_in_loop(READ) == {}


async def test_one_is_as_good_after_a_lock_refused_something(to_postgres: Wire, postgres_tables: Tables) -> None:
    postgres_tables.one("a")
    renewing = statements.renewing("anna", 60.0, 0.01)
    with postgres_tables.transaction() as other:
        other.execute(text("SELECT FROM lease FOR UPDATE"))
        for _ in range(2):
            with pytest.raises(WireFailed):
                await to_postgres.send_in_loop(renewing)
            with pytest.raises(WireFailed):
                to_postgres.send_in_thread(renewing)
            assert to_postgres.is_well
    assert to_postgres.send_in_thread(renewing).pairs == {("a", 1)}


async def test_one_whose_server_is_out_of_step_has_no_answer_and_is_not_used_again(
    proxied_url: str, proxy: Proxy
) -> None:
    """As a pooler's may be that says once too often that it is ready: the next would get the answer to this one."""
    for is_threaded in (False, True):
        wire = await wire_to(proxied_url)
        proxy.rewrite = lambda _: b"Z\0\0\0\x05I"
        with pytest.raises(WireFailed):
            await (asyncio.to_thread(wire.send_in_thread, READ) if is_threaded else wire.send_in_loop(READ))
        assert not wire.is_well
        proxy.rewrite = lambda data: data
        close(wire)


async def test_there_is_none_where_a_statement_by_itself_would_be_serializable(
    postgres_url: str, postgres_tables: Tables
) -> None:
    assert await opened(f"{postgres_url}?options=-c%20default_transaction_isolation%3Dserializable").wire() is None
    await until(lambda: postgres_tables.value(OPEN) == 0)


async def test_one_that_is_closed_waits_for_what_is_under_way_but_no_longer_than_it_is_told(postgres_url: str) -> None:
    for lasts, patience in ((0.05, LIMIT), (LIMIT, 0.05), (0.0, LIMIT)):
        wire = await wire_to(postgres_url)
        assert await wire.send_in_loop(sleeping(0.0)), "it is prepared, which is sent and waited for by itself"
        begun = monotonic()
        sending = asyncio.ensure_future(wire.send_in_loop(sleeping(lasts)))
        if lasts:
            await asyncio.sleep(0)
            sending.cancel()
        await asyncio.wait({sending})
        assert wire.is_well is not bool(lasts)
        close(wire, patience)
        assert monotonic() - begun >= min(lasts, patience)
        assert not wire.is_well
        wire.cut()  # too late


async def test_one_that_is_cancelled_as_it_sends_leaves_no_socket_to_its_event_loop(
    proxied_url: str, proxy: Proxy
) -> None:
    wire = await wire_to(proxied_url)
    assert await wire.send_in_loop(READ) == {}
    proxy.blackhole()
    assert isinstance(wire, _LibpqWire)
    loop, descriptor = asyncio.get_running_loop(), wire._pgconn.socket
    sending = asyncio.ensure_future(wire.send_in_loop(statements.reading(["x" * 10_000_000])))
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.wait({sending})
    assert not loop.remove_writer(descriptor)
    assert not loop.remove_reader(descriptor)
    wire.cut()
    close(wire)


async def test_one_to_a_file_for_which_no_thread_can_begin_sends_nothing(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with closing_now(await wire_to(sqlite_url)) as wire:
        with monkeypatch.context() as full:
            full.setattr(threading.Thread, "start", refuse)
            with pytest.raises(NothingSentError):
                await wire.send_in_loop(READ)
        assert await wire.send_in_loop(READ) == {}


async def test_one_to_a_file_that_is_closed_leaves_a_call_that_takes_long_to_itself(sqlite_url: str) -> None:
    before = set(threading.enumerate())
    wire, goes_on = await wire_to(sqlite_url), threading.Event()
    call = Call(Statement(select(lease.c.name)), {}, lambda _: goes_on.wait(LIMIT))
    sending = asyncio.ensure_future(wire.send_in_loop(call))
    await asyncio.sleep(0)
    close(wire, 0.01)
    assert not sending.done()
    goes_on.set()
    assert await sending
    close(wire)
    await until(lambda: all(thread.name != "lease-wire" for thread in set(threading.enumerate()) - before))


async def test_one_to_a_file_lets_others_write_first(sqlite_url: str) -> None:
    with closing_now(await wire_to(sqlite_url)) as wire, WriterGate(sqlite_url.removeprefix("sqlite:///")) as gate:
        gate.pass_within(LIMIT)
        for _ in range(2):
            with pytest.raises(NothingSentError, match="others write"):
                wire.send_in_thread(READ)
        assert wire.is_well


@pytest.mark.skipif(sys.platform != "linux", reason="looks at open files in /proc")
async def test_one_to_a_file_keeps_nothing_of_it_open_once_it_is_closed(sqlite_url: str) -> None:
    def still_open() -> list[str]:
        targets = [os.path.realpath(entry) for entry in Path("/proc/self/fd").iterdir()]
        return [target for target in targets if target.startswith(sqlite_url.removeprefix("sqlite:///"))]

    wire = await wire_to(sqlite_url)
    assert await wire.send_in_loop(READ) == {}
    assert still_open()
    close(wire)
    assert still_open() == []
