"""The contenders: each is one way to acquire a lock and release it, as often as it is asked to."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import psycopg

from lease.client import LeaseClient
from lease.sync import LeaseClient as SyncLeaseClient

from .statements import GRANT, GRANT_SQLITE, RELEASE, RELEASE_SQLITE

Times = Callable[[int], list[float]]
"""Acquires and releases that many times, and returns how long each time took, in seconds."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to acquire and release a lock, open during the block of ``opened``."""

    name: str
    opened: Callable[[str], AbstractContextManager[Times]]
    """Takes the URL of a database."""
    yardstick: str | None = None
    """The name of the contender that it is compared with; None for a yardstick itself, or a peer."""


def _timed(pair: Callable[[], object]) -> Times:
    def times(number: int) -> list[float]:
        seconds = []
        for _ in range(number):
            began = perf_counter()
            pair()
            seconds.append(perf_counter() - began)
        return seconds

    return times


def _timed_in(runner: asyncio.Runner, pair: Callable[[], Awaitable[object]]) -> Times:
    async def times(number: int) -> list[float]:
        seconds = []
        for _ in range(number):
            began = perf_counter()
            await pair()
            seconds.append(perf_counter() - began)
        return seconds

    return lambda number: runner.run(times(number))


@contextmanager
def lease_async(url: str) -> Iterator[Times]:
    """Open the async client."""
    with asyncio.Runner() as runner:
        client = runner.run(LeaseClient(url).__aenter__())

        async def pair() -> None:
            await (await client.acquire("async")).release()

        try:
            yield _timed_in(runner, pair)
        finally:
            runner.run(client.__aexit__(None, None, None))


@contextmanager
def lease_sync(url: str) -> Iterator[Times]:
    """Open the sync client."""
    with SyncLeaseClient(url) as client:

        def pair() -> None:
            client.acquire("sync").release()

        yield _timed(pair)


@contextmanager
def psycopg_async(url: str) -> Iterator[Times]:
    """Open an async connection of psycopg in autocommit, for the same two statements."""
    with asyncio.Runner() as runner:
        connection = runner.run(psycopg.AsyncConnection.connect(_plain(url), autocommit=True))

        async def pair() -> None:
            values = {"name": "bare async", "holder": "bare", "label": "bare", "ttl": 15.0}
            granted = await (await connection.execute(GRANT, values)).fetchone()
            await (await connection.execute(RELEASE, {**values, "token": granted and granted[0]})).fetchone()

        try:
            yield _timed_in(runner, pair)
        finally:
            runner.run(connection.close())


@contextmanager
def psycopg_sync(url: str) -> Iterator[Times]:
    """Open a sync connection of psycopg in autocommit, for the same two statements."""
    with psycopg.connect(_plain(url), autocommit=True) as connection:

        def pair() -> None:
            values = {"name": "bare sync", "holder": "bare", "label": "bare", "ttl": 15.0}
            granted = connection.execute(GRANT, values).fetchone()
            connection.execute(RELEASE, {**values, "token": granted and granted[0]}).fetchone()

        yield _timed(pair)


@contextmanager
def advisory_lock(url: str) -> Iterator[Times]:
    """Open a connection for a session advisory lock of PostgreSQL: no token, no expiry, nothing written."""
    with psycopg.connect(_plain(url), autocommit=True) as connection:

        def pair() -> None:
            connection.execute("SELECT pg_advisory_lock(1)")
            connection.execute("SELECT pg_advisory_unlock(1)")

        yield _timed(pair)


@contextmanager
def sqlite(url: str) -> Iterator[Times]:
    """Open a connection of sqlite3, for the same two statements, each in BEGIN IMMEDIATE and COMMIT."""
    with ExitStack() as stack:
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        stack.callback(connection.close)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")

        def write(statement: str, values: dict[str, Any]) -> Any:
            connection.execute("BEGIN IMMEDIATE")
            row = connection.execute(statement, values).fetchone()
            connection.execute("COMMIT")
            return row

        def pair() -> None:
            values = {"name": "bare", "holder": "bare", "label": "bare", "ttl": 15.0, "now": perf_counter()}
            (token,) = write(GRANT_SQLITE, values)
            write(RELEASE_SQLITE, {**values, "token": token})

        yield _timed(pair)


def _plain(url: str) -> str:
    return url.replace("+psycopg", "")


POSTGRESQL = (
    Contender("psycopg, async", psycopg_async),
    Contender("psycopg, sync", psycopg_sync),
    Contender("lease, async", lease_async, "psycopg, async"),
    Contender("lease, sync", lease_sync, "psycopg, sync"),
    Contender("pg_advisory_lock", advisory_lock),
)
SQLITE = (
    Contender("sqlite3", sqlite),
    Contender("lease, async", lease_async, "sqlite3"),
    Contender("lease, sync", lease_sync, "sqlite3"),
)
