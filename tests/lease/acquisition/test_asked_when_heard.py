"""A waiter that hears of its turn asks for the lease at once, over the connection on which it heard it; what can
go wrong with that one question.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import text

from lease import LeaseClient, LeaseNotAcquired, LeaseTiming, statements
from lease.clock import boottime
from lease.database.held.line import shut_down
from lease.model import Grant
from lease.sync import Lease
from lease.sync import LeaseClient as SyncLeaseClient
from lease.waiters import Waiter
from tests.lease.calls.callers import AnyClient, Blocked
from tests.lease.stores import Tables, in_thread, until
from tests.support.proxy import Proxy
from tests.support.waiting import LIMIT, wait_until

TIMING = LeaseTiming(ttl=60, attempt_timeout=5)
HASTY = LeaseTiming(ttl=60, attempt_timeout=0.5)
QUESTION = "lease_question_0"


@pytest.fixture
def tables(postgres_tables: Tables) -> Tables:
    return postgres_tables


@pytest.fixture
def grant(tables: Tables) -> Grant:
    """A grant of another holder, for which all wait."""
    return tables.one("a", holder="ben")


def turns_of(client: AnyClient) -> Any:
    """Return how ``client`` waits on PostgreSQL."""
    return client._runtime.core.store._turns  # type: ignore[attr-defined]  # a store in memory has no such thing


def waits(client: AnyClient, name: str = "a") -> bool:
    """Return whether ``client`` waits for its turn."""
    return any(one.on_turn is not None for one in turns_of(client)._listener._subscriptions.get(name, ()))


def would_ask(client: AnyClient, name: str = "a") -> bool:
    """Return whether ``client`` waits for its turn, and can ask over the connection that listens."""
    question = turns_of(client)._listener._question
    return waits(client, name) and question is not None and question._exchange._prepared and question._pending is None


@contextmanager
def acquiring(
    client: SyncLeaseClient, name: str = "a", begun: Callable[[AnyClient, str], bool] = would_ask
) -> Iterator[Callable[[], Lease]]:
    """Acquire it in a thread, which waits for it when the block begins."""
    with in_thread(lambda: client.acquire(name, wait=15)) as acquired:
        wait_until(lambda: begun(client, name), "it waits")
        yield acquired


def question_of(client: AnyClient) -> Callable[[Sequence[str]], bool]:
    """Return what tells whether a transaction is this client's question."""
    wording = turns_of(client)._taking.text
    return lambda transaction: list(transaction) == [wording]


def tell(tables: Tables, client: AnyClient) -> None:
    """Notify ``client`` that it is its turn."""
    waiter = Waiter(client._runtime.core.holder, "", 0.0)
    tables.run(lambda connection: statements.notify(connection, "a", (waiter,)))


def unread(client: AnyClient) -> bytes:
    """Return what has arrived over the connection that listens, and was not read yet."""
    question = turns_of(client)._listener._question
    with socket.socket(fileno=os.dup(question._exchange._connection.socket)) as line, suppress(BlockingIOError):
        return line.recv(65_536, socket.MSG_PEEK)
    return b""


def left_over(tables: Tables, name: str = "a") -> tuple[object, object]:
    """Return who has it, and who waits for it."""
    with tables.transaction() as connection:
        return connection.execute(text("SELECT holder, waiters FROM lease WHERE name = :name"), {"name": name}).one()


@contextmanager
def refusing(tables: Tables, when: str) -> Iterator[None]:
    """Let the server refuse what listeners write, before it is done or at its commit."""
    kind, late = ("", "") if when == "BEFORE" else ("CONSTRAINT", "DEFERRABLE INITIALLY DEFERRED")
    tables.run(
        lambda connection: connection.execute(
            text(f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF current_setting('application_name') = 'leased listener' THEN RAISE 'not over this connection'; END IF;
            RETURN NEW;
        END $$;
        CREATE {kind} TRIGGER refusing {"AFTER" if late else "BEFORE"} UPDATE ON lease {late}
            FOR EACH ROW EXECUTE FUNCTION refuse()
    """)
        )
    )
    try:
        yield
    finally:
        tables.run(lambda connection: connection.execute(text("DROP FUNCTION refuse() CASCADE")))


def test_it_takes_one_statement(proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant) -> None:
    with SyncLeaseClient(proxied_url, timing=TIMING) as client, acquiring(client) as acquired:
        begun = len(proxy.statements)
        tables.release(grant)
        held = acquired()
        (asked,) = proxy.statements[begun:]
        assert question_of(client)([asked])
        assert held.token == 2
        held.release()


def test_trust_counts_from_before_it_was_asked(proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant) -> None:
    """Rule 2."""
    with SyncLeaseClient(proxied_url, timing=TIMING) as client, acquiring(client) as acquired:
        proxy.hold_answer(question_of(client))
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
    with SyncLeaseClient(proxied_url, timing=HASTY) as client, acquiring(client) as acquired:
        proxy.hold_answer(question_of(client))
        tables.release(grant)
        assert proxy.struck.wait(LIMIT)
        wait_until(lambda: left_over(tables)[0] == client.holder, "it was granted in an answer that does not arrive")
        if breaks:
            proxy.drop()
        held = acquired()
        assert held.token == 3, "what the lost answer granted was given back"
        held.release()
        assert left_over(tables) == (None, None)


def test_where_it_is_refused_the_lease_is_asked_for_as_usual_and_the_next_time_at_once(
    proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant
) -> None:
    def questions() -> int:
        return [question_of(client)([statement]) for statement in proxy.statements].count(True)

    with SyncLeaseClient(proxied_url, timing=TIMING) as client:
        with refusing(tables, "BEFORE"), acquiring(client) as acquired:
            tables.release(grant)
            held = acquired()
        assert (held.token, questions()) == (2, 1)
        held.release()
        again = tables.one("a", holder="ben")
        with acquiring(client) as acquired:
            tables.release(again)
            acquired().release()
        assert questions() == 2


def test_an_error_behind_the_commit_does_not_hide_what_was_granted(
    proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant
) -> None:
    """A server reads the notifications for a session after each commit of it, and can fail in that."""
    said = b"SERROR\0VERROR\0CXX000\0Mcould not access status of transaction 7\0\0"
    errors = [b"E" + (len(said) + 4).to_bytes(4, "big") + said]

    def fail_once(data: bytes) -> bytes:
        return data.replace(GRANTED, GRANTED[:-6] + errors.pop() + GRANTED[-6:]) if errors and GRANTED in data else data

    with SyncLeaseClient(proxied_url, timing=TIMING) as client, acquiring(client) as acquired:
        proxy.rewrite = fail_once
        tables.release(grant)
        held = acquired()
        assert held.token == 3, "what was granted before the error was given back"
        held.release()
        assert left_over(tables) == (None, None)


GRANTED = b"UPDATE 1\0Z\0\0\0\x05I"


def test_who_waits_no_longer_is_told_who_holds_it(proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant) -> None:
    """Where its question was in vain, and answered after the last moment."""
    with SyncLeaseClient(proxied_url, timing=TIMING) as client, in_thread(lambda: refusal_of(client)) as refused:
        wait_until(lambda: would_ask(client), "it waits")
        proxy.hold_answer(question_of(client))
        tell(tables, client)
        assert proxy.struck.wait(LIMIT)
        until_moment = boottime() + SHORT_WAIT
        wait_until(lambda: boottime() > until_moment, "it waits no longer")
        proxy.heal()
        assert refused().holder == grant.holder


SHORT_WAIT = 5.0
"""Seconds, in which a busy machine must have come to waiting."""


def refusal_of(client: SyncLeaseClient) -> LeaseNotAcquired:
    with pytest.raises(LeaseNotAcquired) as caught:
        client.acquire("a", wait=SHORT_WAIT)
    return caught.value


def test_behind_a_pooler_it_is_not_even_prepared(proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant) -> None:
    """Which would keep it for another client."""
    proxy.pooling = True
    with SyncLeaseClient(proxied_url, timing=TIMING) as client:
        listener = turns_of(client)._listener
        with in_thread(lambda: client.acquire("a", wait=15)) as acquired:
            wait_until(lambda: listener.is_working and listener._subscriptions["a"][0].on_turn is not None, "it waits")
            tables.release(grant)
            acquired().release()
    assert QUESTION not in proxy.prepared
    proxy.pooling = False
    again = tables.one("a", holder="ben")
    with SyncLeaseClient(proxied_url, timing=TIMING) as client, acquiring(client) as acquired:
        tables.release(again)
        acquired().release()
    assert QUESTION in proxy.prepared, "the test looks for the right name"


def test_what_is_said_behind_the_answer_is_heard(proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant) -> None:
    """Both come in one read, and nothing after them."""
    other = tables.one("b", holder="ben")
    with SyncLeaseClient(proxied_url, timing=TIMING) as client, acquiring(client, "a") as first:
        proxy.hold_answer(question_of(client))
        tables.release(grant)
        assert proxy.struck.wait(LIMIT)
        with acquiring(client, "b", waits) as second:
            tables.release(other)
            with Blocked(client):
                proxy.heal()
                wait_until(lambda: b'"name": "b"' in unread(client), "both have arrived")
            for acquired in (first, second):
                acquired().release()


def test_nothing_is_asked_that_would_keep_other_names_waiting(
    proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant
) -> None:
    """The server says nothing of them until it has answered."""
    other = tables.one("b", holder="ben")
    with (
        SyncLeaseClient(proxied_url, timing=TIMING) as client,
        acquiring(client, "b") as second,
        acquiring(client, "a") as first,
    ):
        tables.release(grant)
        first().release()
        assert not any(question_of(client)([statement]) for statement in proxy.statements)
        tables.release(other)
        second().release()


@pytest.mark.parametrize("held", [True, False], ids=["held", "another-is-first"])
def test_who_hears_of_a_turn_that_is_not_its_own_takes_nothing(
    proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant, *, held: bool
) -> None:
    """Rules 4 and 15: whoever may connect can notify the channel."""
    tables.queue("a", holder="anna")
    with SyncLeaseClient(proxied_url, timing=TIMING) as client, acquiring(client) as acquired:
        if not held:
            tables.run(lambda connection: statements.release(connection, grant))  # and nobody is told
        begun = len(proxy.statements)
        tell(tables, client)
        wait_until(lambda: any(question_of(client)([one]) for one in proxy.statements[begun:]), "it asks")
        wait_until(lambda: would_ask(client), "it waits again")
        assert left_over(tables)[0] == ("ben" if held else None)
        tables.run(lambda connection: statements.leave_queues(connection, ["a"], "anna", lock_wait=1.0))
        if held:
            tables.release(grant)
        else:
            tell(tables, client)
        acquired().release()


@contextmanager
def its_turn_at_a_locked_row(tables: Tables, client: AnyClient, grant: Grant) -> Iterator[None]:
    """Release ``grant``, and tell ``client`` that it is its turn while another transaction has the row locked."""
    tables.run(lambda connection: statements.release(connection, grant))
    with tables.transaction() as connection:
        statements.lock_queues(connection, ["a"])
        tell(tables, client)
        yield


def test_it_waits_for_whoever_has_the_row_locked_for_a_moment(
    proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant
) -> None:
    with SyncLeaseClient(proxied_url, timing=TIMING) as client, acquiring(client) as acquired:
        begun = len(proxy.statements)
        with its_turn_at_a_locked_row(tables, client, grant):
            wait_until(lambda: tables.value(WAITS_FOR_A_ROW), "it waits")
        held = acquired()
        assert [question_of(client)([one]) for one in proxy.statements[begun:]] == [True]
        held.release()


def test_where_the_row_stays_locked_it_is_asked_for_as_usual_and_the_next_time_at_once(
    proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant
) -> None:
    with SyncLeaseClient(proxied_url, timing=TIMING) as client, acquiring(client) as acquired:
        begun = len(proxy.statements)
        with its_turn_at_a_locked_row(tables, client, grant):
            wait_until(lambda: len(proxy.statements) > begun + 1, "it asks as usual")
        acquired().release()
        again = tables.one("a", holder="ben")
        with acquiring(client) as acquired_again:
            tables.release(again)
            acquired_again().release()


WAITS_FOR_A_ROW = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


@pytest.mark.anyio
@pytest.mark.parametrize("comes", [True, False], ids=["answered", "silent"])
async def test_who_is_cancelled_meanwhile_keeps_nothing(
    proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant, *, comes: bool
) -> None:
    """Rule 6."""
    async with LeaseClient(proxied_url, timing=TIMING if comes else HASTY) as client:
        acquiring = asyncio.ensure_future(client.acquire("a", wait=15))
        await until(lambda: would_ask(client))
        proxy.hold_answer(question_of(client))
        tables.release(grant)
        await until(proxy.struck.is_set)
        await until(lambda: left_over(tables)[0] == client.holder)
        acquiring.cancel()
        if comes:
            await until(lambda: any(task.cancelling() for task in list(client._runtime.core._acquiring)))
            proxy.heal()
        with pytest.raises(asyncio.CancelledError):
            await acquiring
        await until(lambda: left_over(tables) == (None, None))


def test_who_is_closed_meanwhile_keeps_nothing(proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant) -> None:
    """Rule 6."""
    client = SyncLeaseClient(proxied_url, timing=TIMING)
    client.__enter__()
    with acquiring(client) as acquired:
        proxy.hold_answer(question_of(client))
        tables.release(grant)
        assert proxy.struck.wait(LIMIT)
        with in_thread(lambda: client.__exit__(None, None, None)) as closed:
            wait_until(lambda: client._runtime.core.is_closed, "it is being closed")
            proxy.heal()
            closed()
        with pytest.raises(Exception, match="closed while it acquired"):
            acquired()
    assert left_over(tables) == (None, None)


def test_who_is_asking_itself_asks_nothing_besides(
    proxied_url: str, proxy: Proxy, tables: Tables, grant: Grant
) -> None:
    """It would take the grant of the one question for one whose answer the other has lost."""
    with SyncLeaseClient(proxied_url, timing=TIMING) as client, acquiring(client) as acquired:
        proxy.hold_answer(lambda transaction: "SET waiters=CASE" in transaction[-1])
        tell(tables, client)  # in vain: it is held
        assert proxy.struck.wait(LIMIT), "it looks for its place"
        subscription = turns_of(client)._listener._subscriptions["a"][0]
        tables.release(grant)
        wait_until(subscription.heard.is_set, "it hears of its turn")
        proxy.heal()
        held = acquired()
        assert held.token == 2
        held.release()


def test_an_answer_whose_commit_fails_grants_nothing(proxied_url: str, tables: Tables, grant: Grant) -> None:
    """The server sends the rows of a statement before it commits."""
    with (
        refusing(tables, "COMMIT"),
        SyncLeaseClient(proxied_url, timing=TIMING) as client,
        acquiring(client) as acquired,
    ):
        tables.release(grant)
        held = acquired()
        assert left_over(tables)[0] == client.holder
        held.release()


def test_where_it_cannot_be_sent_the_client_listens_over_a_new_connection(
    proxied_url: str, tables: Tables, grant: Grant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SyncLeaseClient(proxied_url, timing=TIMING) as client, acquiring(client) as acquired:
        listener = turns_of(client)._listener
        question = listener._question
        ask = question.ask

        def ask_over_a_broken_line(*asked: Any) -> bool:
            shut_down(question._exchange._connection.socket)
            return bool(ask(*asked))

        monkeypatch.setattr(question, "ask", ask_over_a_broken_line)
        tables.release(grant)
        acquired().release()
        wait_until(lambda: listener._question not in (None, question), "it listens again", limit=15)
