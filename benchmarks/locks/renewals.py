"""Renewals: all leases of one holder in one statement, against that statement alone."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from time import perf_counter

import psycopg
from sqlalchemy import Connection

from lease import statements
from lease.database.opening import open_database
from lease.database_store import DatabaseStore
from lease.model import Grant
from lease.timing import LeaseTiming

from .alternation import Measured, alternate
from .contenders import Times
from .statements import RENEW

_HOLDER = "holder"


def measure_renewals(url: str, leases: int, *, number: int) -> list[Measured]:
    """Measure the renewal of that many leases, which are granted first."""
    grants = asyncio.run(_granted(url, leases))
    names = (f"psycopg, {leases:,}", f"lease, {leases:,}")
    with ExitStack() as stack:
        contenders = dict(
            zip(names, (stack.enter_context(_bare(url)), stack.enter_context(_store(url, grants))), strict=True)
        )
        return alternate(contenders, {names[0]: None, names[1]: names[0]}, number=number, batch=2)


async def _granted(url: str, leases: int) -> list[Grant]:
    database = open_database(url, timeout=60.0)
    names = [f"renewed-{number}" for number in range(leases)]
    try:
        return await database.write(partial(_grant, names=names))
    finally:
        await database.close()


def _grant(connection: Connection, names: list[str]) -> list[Grant]:
    return statements.grant(connection, names, _HOLDER, 3600.0)


@contextmanager
def _bare(url: str) -> Iterator[Times]:
    with asyncio.Runner() as runner:
        connection = runner.run(psycopg.AsyncConnection.connect(url.replace("+psycopg", ""), autocommit=True))

        async def times(number: int) -> list[float]:
            seconds = []
            for _ in range(number):
                began = perf_counter()
                await (await connection.execute(RENEW, {"holder": _HOLDER, "ttl": 3600.0})).fetchall()
                seconds.append(perf_counter() - began)
            return seconds

        try:
            yield lambda number: runner.run(times(number))
        finally:
            runner.run(connection.close())


@contextmanager
def _store(url: str, grants: list[Grant]) -> Iterator[Times]:
    with asyncio.Runner() as runner:

        async def made() -> DatabaseStore:
            return DatabaseStore(url, LeaseTiming(ttl=60, attempt_timeout=5))

        async def times(number: int) -> list[float]:
            seconds = []
            for _ in range(number):
                began = perf_counter()
                renewal = await store.renew(_HOLDER, 3600.0, grants)
                seconds.append(perf_counter() - began)
                if len(renewal.pairs) != len(grants):
                    raise AssertionError("not all leases were renewed")
            return seconds

        store = runner.run(made())
        try:
            yield lambda number: runner.run(times(number))
        finally:
            runner.run(store.close())
