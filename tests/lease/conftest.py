"""Fixtures of the lock library's tests."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from tests.chaos.pooler import MISSING, Pooler, pooler_program
from tests.lease.beating import Beating
from tests.lease.stores import Recorder, Tables
from tests.support.databases import engine_on
from tests.support.proxy import Proxy


@pytest.fixture
def postgres_url(postgres_url: str) -> Iterator[str]:
    """Drop the table `written` of fence tests afterwards: cheaper than another database."""
    yield postgres_url
    with engine_on(postgres_url).begin() as connection:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'; DROP TABLE IF EXISTS written")


@pytest.fixture
def pooled_url(postgres_url: str) -> Iterator[str]:
    """The test's database, through a pooler that hands its connections to one client after the other."""
    if pooler_program() is None:
        pytest.skip(MISSING)
    url = make_url(postgres_url)
    with Pooler(url.port or 5432) as pooler:
        yield url.set(port=pooler.port).render_as_string(hide_password=False)


@pytest.fixture
def tables(database_url: str) -> Iterator[Tables]:
    """The table of leases of either kind of database, and statements on it in transactions of their own."""
    with Tables(database_url) as tables:
        yield tables


@pytest.fixture
def postgres_tables(postgres_url: str) -> Iterator[Tables]:
    with Tables(postgres_url) as tables:
        yield tables


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine as a user has it."""
    engine = create_engine(database_url, poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator[Engine]:
    engine = create_engine(postgres_url, poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
async def async_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        url = url.set(drivername="sqlite+aiosqlite")
    engine = create_async_engine(url, poolclass=NullPool)
    yield engine
    await engine.dispose()


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    """The network before the test's own database; `behind` gives the URL through it."""
    with Proxy(make_url(postgres_url).port or 5432, make_url(postgres_url).host or "127.0.0.1") as proxy:
        yield proxy


@pytest.fixture
def proxied_url(postgres_url: str, proxy: Proxy) -> str:
    return behind(proxy, postgres_url)


def behind(proxy: Proxy, url: str) -> str:
    return make_url(url).set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)


@pytest.fixture
def told() -> Recorder:
    """An `on_event` that remembers."""
    return Recorder()


@pytest.fixture
def beating() -> Beating:
    return Beating()
