"""A waiter that is woken asks for the lease itself, over a connection of the client's callers; what can go wrong with
that one statement.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from sqlalchemy import make_url, text

from lease import LeaseClient, LeaseTiming, statements
from lease.clock import boottime
from lease.database.connections import engine_for_libpq
from lease.model import Grant
from lease.sync import Lease
from lease.sync import LeaseClient as SyncLeaseClient
from lease.waiters import Waiter
from tests.lease.calls.callers import AnyClient, pool_of, warm
from tests.lease.stores import Tables, in_thread, until
from tests.support.proxy import Proxy
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.anyio

TIMING = LeaseTiming(ttl=60, attempt_timeout=5)
HASTY = LeaseTiming(ttl=60, attempt_timeout=0.5)


@pytest.fixture
def tables(postgres_tables: Tables) -> Tables:
    return postgres_tables


@pytest.fixture
def grant(tables: Tables) -> Grant:
    """A grant of another holder, for which all wait."""
    return tables.one("b", holder="ben")


def waits(client: AnyClient, tables: Tables) -> bool:
    """Return whether ``client`` has its place in the queue, and hears of its turn."""
    core = client._runtime.core
    hears = core.store._turns.is_working and any(one.work is not None for one in list(core.acquiring))  # type: ignore[attr-defined]
    return hears and any(one.holder == core.holder for one in tables.record("b").waiting)


@contextmanager
def acquiring(client: SyncLeaseClient, tables: Tables) -> Iterator[Callable[[], Lease]]:
    """Acquire it in a thread, which waits for it when the block begins."""
    with in_thread(lambda: client.acquire("b", wait=15)) as acquired:
        wait_until(lambda: waits(client, tables), "it waits")
        yield acquired


def asks(transaction: Sequence[str]) -> bool:
    """Return whether somebody asks for a lease in it, by one statement."""
    call = statements.granting("b", "", 1.0)
    engine = engine_for_libpq(make_url("postgresql+psycopg://"))
    return list(transaction) == [call.statement.compiled(engine).text]


def tell(tables: Tables, client: AnyClient) -> None:
    """Notify ``client`` that it is its turn."""
    waiter = Waiter(client._runtime.core.holder, "", 0.0)
    tables.run(lambda connection: statements.notify(connection, "b", (waiter,)))


def left_over(tables: Tables) -> tuple[object, object]:
    """Return who has it, and who waits for it."""
    with tables.transaction() as connection:
        return connection.execute(text("SELECT holder, waiters FROM lease WHERE name = 'b'")).one()


@contextmanager
def first_commit_fails(tables: Tables) -> Iterator[None]:
    """Let the server refuse the first grant in the block, at its commit."""
    tables.run(
        lambda connection: connection.execute(
            text("""
        CREATE SEQUENCE refusals;
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF OLD.holder IS NULL AND NEW.holder IS NOT NULL AND nextval('refusals') = 1 THEN RAISE 'not now'; END IF;
            RETURN NEW;
        END $$;
        CREATE CONSTRAINT TRIGGER refusing AFTER UPDATE ON lease DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION refuse()
    """)
        )
    )
    try:
        yield
    finally:
        tables.run(
            lambda connection: connection.execute(text("DROP FUNCTION refuse() CASCADE; DROP SEQUENCE refusals"))
        )


def test_it_takes_one_statement(proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant) -> None:
    with SyncLeaseClient(proxied_url, timing=TIMING) as client, acquiring(warm(client), tables) as acquired:
        begun = len(proxy.statements)
        tables.release(grant)
        held = acquired()
        (asked,) = proxy.statements[begun:]
        assert asks([asked])
        assert held.token == 2
        assert "b" not in client._runtime.core.store._turns.subscriptions, "it has heard of its turn"  # type: ignore[attr-defined]
        held.release()


def test_trust_counts_from_before_it_was_asked(proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant) -> None:
    """Rule 2."""
    with SyncLeaseClient(proxied_url, timing=TIMING) as client, acquiring(warm(client), tables) as acquired:
        proxy.hold_answer(asks)
        tables.release(grant)
        assert proxy.struck.wait(LIMIT)
        granted = boottime()
        proxy.heal()
        held = acquired()
        assert held._state.trusted_until < granted + TIMING.give_up
        held.release()


@pytest.mark.parametrize("breaks", [True, False], ids=["broken", "silent"])
def test_where_its_answer_is_lost_the_lease_is_asked_for_anew(
    proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant, *, breaks: bool
) -> None:
    """Rules 3 and 6."""
    with SyncLeaseClient(proxied_url, timing=HASTY) as client, acquiring(warm(client), tables) as acquired:
        proxy.hold_answer(asks)
        tables.release(grant)
        assert proxy.struck.wait(LIMIT)
        wait_until(lambda: left_over(tables)[0] == client.holder, "it was granted in an answer that does not arrive")
        if breaks:
            proxy.drop()
        held = acquired()
        assert held.token == 3, "what the lost answer granted was given back"
        held.release()
        assert left_over(tables) == (None, None)


def test_an_error_behind_the_commit_does_not_hide_what_was_granted(
    proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant
) -> None:
    """A server reads the notifications for a session after each commit of it, and can fail in that."""
    said = b"SERROR\0VERROR\0CXX000\0Mcould not access status of transaction 7\0\0"
    errors = [b"E" + (len(said) + 4).to_bytes(4, "big") + said]

    def fail_once(data: bytes) -> bytes:
        return data.replace(GRANTED, GRANTED[:-6] + errors.pop() + GRANTED[-6:]) if errors and GRANTED in data else data

    with SyncLeaseClient(proxied_url, timing=TIMING) as client, acquiring(warm(client), tables) as acquired:
        proxy.rewrite = fail_once
        tables.release(grant)
        held = acquired()
        assert held.token == 3, "what was granted before the error was given back"
        held.release()
        assert left_over(tables) == (None, None)


GRANTED = b"UPDATE 1\0Z\0\0\0\x05I"


def test_a_release_before_its_place_is_known_is_heard(
    proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant
) -> None:
    with SyncLeaseClient(proxied_url, timing=TIMING) as client:
        with acquiring(warm(client), tables) as acquired:  # it listens from then on
            tables.release(grant)
            acquired().release()
        (again,) = tables.grant("b", holder="ben")
        proxy.hold_answer(lambda transaction: "SET waiters=CASE" in transaction[-1])
        with in_thread(lambda: client.acquire("b", wait=15)) as acquired:
            assert proxy.struck.wait(LIMIT), "it takes its place"
            wait_until(lambda: tables.record("b").waiting, "it has it")
            tables.release(again)
            wait_until(lambda: heard(client), "it is told")
            proxy.heal()
            held = acquired()
        assert held.token == again.token + 1
        held.release()  # or its client would wait for its work


def heard(client: AnyClient) -> bool:
    """Return whether ``client`` was told that it is its turn."""
    subscription = client._runtime.core.store._turns.subscriptions.get("b")  # type: ignore[attr-defined]
    return subscription is not None and subscription.heard.is_set()


@pytest.mark.parametrize("held", [True, False], ids=["held", "another-is-first"])
def test_who_hears_of_a_turn_that_is_not_its_own_takes_nothing(
    proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant, *, held: bool
) -> None:
    """Rules 4 and 15: whoever may connect can notify the channel."""
    tables.queue("b", holder="anna")
    with SyncLeaseClient(proxied_url, timing=TIMING) as client, acquiring(warm(client), tables) as acquired:
        if not held:
            tables.run(lambda connection: statements.release(connection, grant))  # and nobody is told
        begun = len(proxy.statements)
        tell(tables, client)
        wait_until(lambda: any(asks([one]) for one in proxy.statements[begun:]), "it asks")
        wait_until(lambda: waits(client, tables), "it waits again")
        assert left_over(tables)[0] == ("ben" if held else None)
        tables.run(lambda connection: statements.leave_queues(connection, ["b"], "anna", lock_wait=1.0))
        if held:
            tables.release(grant)
        else:
            tell(tables, client)
        acquired().release()


@pytest.mark.parametrize("comes", [True, False], ids=["answered", "silent"])
async def test_who_is_cancelled_meanwhile_keeps_nothing(
    proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant, *, comes: bool
) -> None:
    """Rule 6."""
    async with LeaseClient(proxied_url, timing=TIMING if comes else HASTY) as client:
        acquiring = asyncio.ensure_future(client.acquire("b", wait=15))
        await until(lambda: waits(client, tables))
        proxy.hold_answer(asks)
        tables.release(grant)
        await until(proxy.struck.is_set)
        await until(lambda: left_over(tables)[0] == client.holder)
        acquiring.cancel()
        if comes:
            await until(lambda: is_taken_back(client))
            proxy.heal()
        with pytest.raises(asyncio.CancelledError):
            await acquiring
        await until(lambda: left_over(tables) == (None, None))


def is_taken_back(client: LeaseClient) -> bool:
    """Return whether the wire of a caller that was cut short is being closed."""
    return bool(pool_of(client)._closing)


def test_who_is_closed_meanwhile_keeps_nothing(proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant) -> None:
    """Rule 6."""
    client = SyncLeaseClient(proxied_url, timing=TIMING)
    client.__enter__()
    with acquiring(warm(client), tables) as acquired:
        proxy.hold_answer(asks)
        tables.release(grant)
        assert proxy.struck.wait(LIMIT)
        with in_thread(lambda: client.__exit__(None, None, None)) as closed:
            wait_until(lambda: client._runtime.core.is_closed, "it is being closed")
            proxy.heal()
            closed()
        with pytest.raises(Exception, match="closed while it acquired"):
            acquired()
    assert left_over(tables) == (None, None)


def test_an_answer_whose_commit_fails_grants_nothing(postgres_url: str, tables: Tables, grant: Grant) -> None:
    """The server sends the rows of a statement before it commits."""
    with (
        SyncLeaseClient(postgres_url, timing=TIMING) as client,
        acquiring(warm(client), tables) as acquired,
        first_commit_fails(tables),
    ):
        tables.release(grant)
        held = acquired()
        assert left_over(tables)[0] == client.holder
        held.release()
