"""Through a real pooler in transaction mode, clients take turns over its connections."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, Text, literal_column, select
from sqlalchemy.util import await_only

from lease.database.held.statement import Call, Statement
from lease.database.opening import open_database
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

NAMES = ("anna", "bert")


def asking(name: str) -> Call[str]:
    statement = Statement(select(literal_column(f"'{name}'", Text).label("name")))
    return Call(statement, {}, lambda rows: str(rows[0][0]))


def many_times(ask: Call[str], together: asyncio.Barrier) -> Callable[[Connection], set[str]]:
    """Return a transaction that asks often enough to prepare, and has a connection of the pooler's until others have."""

    def unit(connection: Connection) -> set[str]:
        answers = {ask(connection) for _ in range(10)}
        await_only(together.wait())
        return answers

    return unit


async def test_each_client_is_answered_what_it_asked(pooled_url: str) -> None:
    """Two clients of psycopg prepare under the same names: over a connection that had been the other's, one would
    be answered what the other asks, without an error.
    """
    clients = {name: open_database(pooled_url, timeout=LIMIT, connections=1) for name in NAMES}
    asks = {name: asking(name) for name in NAMES}
    together = asyncio.Barrier(len(NAMES))
    first = await asyncio.gather(*(clients[name].write(many_times(asks[name], together)) for name in NAMES))
    assert first == [{name} for name in NAMES]
    for _ in range(4):
        assert {name: await clients[name].read_alone(asks[name]) for name in NAMES} == {name: name for name in NAMES}
    for client in clients.values():
        await client.close()
