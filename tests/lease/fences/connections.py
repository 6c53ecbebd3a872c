"""Each kind of connection that a fence takes, opened as its users open it, behind one face for the tests."""

import inspect
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import django
import psycopg
from django.conf import settings
from django.db import connections, transaction
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlalchemy.pool import NullPool

import lease
from lease import Grant

AUTOCOMMIT = "AUTOCOMMIT"
Opening = Callable[[str, str | None], AbstractAsyncContextManager["Caller"]]
"""By URL and isolation level; None: the default."""

settings.configure(USE_TZ=True, LOGGING_CONFIG=None)
django.setup()
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # the tests of all kinds run in one loop


class Caller:
    """A program with a connection, sync or async, on which nothing has been begun yet."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def execute(self, sql: str) -> None:
        await settled(self.connection.execute(text(sql)))

    async def fence(self, grant: Grant) -> None:
        await settled(lease.fence(self.connection, grant))

    async def savepoint(self) -> None:
        await settled(self.connection.begin_nested())

    async def commit(self) -> None:
        await settled(self.connection.commit())


class PsycopgCaller(Caller):
    async def execute(self, sql: str) -> None:
        await settled(self.connection.execute(sql))

    async def savepoint(self) -> None:
        await settled(self.connection.execute("SELECT"))
        self.nested = self.connection.transaction()  # kept: dropped, it would be rolled back
        await settled(self.nested.__aenter__() if hasattr(self.nested, "__aenter__") else self.nested.__enter__())


class DjangoCaller(Caller):
    block: transaction.Atomic

    async def execute(self, sql: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)

    async def savepoint(self) -> None:
        transaction.Atomic(self.connection.alias, savepoint=True, durable=False).__enter__()

    async def commit(self) -> None:
        self.block.__exit__(None, None, None)


async def settled(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


@asynccontextmanager
async def _sync(driver: str, kind: Callable[[Any], Any], url: str, level: str | None) -> AsyncIterator[Caller]:
    engine = create_engine(make_url(url).set(drivername=driver), poolclass=NullPool, **_options(level))
    connection = kind(engine)
    try:
        yield Caller(connection)
    finally:
        connection.remove() if isinstance(connection, scoped_session) else connection.close()
        engine.dispose()


@asynccontextmanager
async def _async(driver: str, kind: Callable[[Any], Any], url: str, level: str | None) -> AsyncIterator[Caller]:
    # As asyncpg asks for behind a pooler: no statement is prepared under a name that is used again.
    arguments = {"connect_args": {"statement_cache_size": 0, "prepared_statement_cache_size": 0}}
    engine = create_async_engine(
        make_url(url).set(drivername=driver),
        poolclass=NullPool,
        **(arguments if "asyncpg" in driver else {}),
        **_options(level),
    )
    connection = kind(engine)
    await settled(connection.start() if hasattr(connection, "start") else None)
    try:
        yield Caller(connection)
    finally:
        await (connection.remove() if isinstance(connection, async_scoped_session) else connection.close())
        await engine.dispose()


def _options(level: str | None) -> dict[str, Any]:
    return {} if level is None else {"isolation_level": level}


@asynccontextmanager
async def _psycopg(kind: Any, url: str, level: str | None) -> AsyncIterator[Caller]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await settled(kind.connect(plain, autocommit=level == AUTOCOMMIT, prepare_threshold=None))
    if level not in (None, AUTOCOMMIT):
        chosen = psycopg.IsolationLevel[level.replace(" ", "_")]
        await settled(connection.set_isolation_level(chosen))
    try:
        yield PsycopgCaller(connection)
    finally:
        await settled(connection.close())


@asynccontextmanager
async def _django(url: str, level: str | None) -> AsyncIterator[Caller]:
    place = make_url(url)
    chosen = None if level in (None, AUTOCOMMIT) else psycopg.IsolationLevel[level.replace(" ", "_")]
    connections.settings["fenced"] = connections.configure_settings(
        {
            "default": {},
            "fenced": {
                "ENGINE": f"django.db.backends.{'sqlite3' if chosen is None and place.host is None else 'postgresql'}",
                "NAME": place.database,
                "HOST": place.host or "",
                "PORT": str(place.port or ""),
                "USER": place.username or "",
                "PASSWORD": place.password or "",
                "OPTIONS": {} if chosen is None else {"isolation_level": chosen},
            },
        }
    )["fenced"]
    connection = connections["fenced"]
    try:
        if level == AUTOCOMMIT:
            yield DjangoCaller(connection)
            return
        caller = DjangoCaller(connection)
        caller.block = transaction.Atomic("fenced", savepoint=False, durable=False)
        caller.block.__enter__()
        yield caller
    finally:
        connection.close()
        del connections["fenced"]


def _session(engine: Any) -> Session:
    return Session(engine)


def _scoped(engine: Any) -> Any:
    return scoped_session(sessionmaker(engine))


def _async_session(engine: Any) -> AsyncSession:
    return AsyncSession(engine)


def _async_scoped(engine: Any) -> Any:
    return async_scoped_session(async_sessionmaker(engine), scopefunc=lambda: 1)


def _connection(engine: Any) -> Any:
    return engine.connect()


POSTGRESQL: dict[str, Opening] = {
    "Connection on psycopg": partial(_sync, "postgresql+psycopg", _connection),
    "Connection on psycopg2": partial(_sync, "postgresql+psycopg2", _connection),
    "Session on psycopg": partial(_sync, "postgresql+psycopg", _session),
    "Session on psycopg2": partial(_sync, "postgresql+psycopg2", _session),
    "scoped_session": partial(_sync, "postgresql+psycopg", _scoped),
    "AsyncConnection on psycopg": partial(_async, "postgresql+psycopg", _connection),
    "AsyncConnection on asyncpg": partial(_async, "postgresql+asyncpg", _connection),
    "AsyncSession on psycopg": partial(_async, "postgresql+psycopg", _async_session),
    "AsyncSession on asyncpg": partial(_async, "postgresql+asyncpg", _async_session),
    "async_scoped_session": partial(_async, "postgresql+asyncpg", _async_scoped),
    "psycopg.Connection": partial(_psycopg, psycopg.Connection),
    "psycopg.AsyncConnection": partial(_psycopg, psycopg.AsyncConnection),
    "Django": _django,
}
SQLITE: dict[str, Opening] = {
    "Connection": partial(_sync, "sqlite", _connection),
    "Session": partial(_sync, "sqlite", _session),
    "scoped_session": partial(_sync, "sqlite", _scoped),
    "AsyncConnection": partial(_async, "sqlite+aiosqlite", _connection),
    "AsyncSession": partial(_async, "sqlite+aiosqlite", _async_session),
    "async_scoped_session": partial(_async, "sqlite+aiosqlite", _async_scoped),
    "Django": _django,
}
