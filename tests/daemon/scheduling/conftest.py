"""A world of replicas for the tests of which definitions rule."""

from collections.abc import AsyncIterator

import pytest

from lease.database.opening import open_database
from tests.support.store import Store

from .world import World


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    with Store(database_url) as store:
        database = open_database(database_url, timeout=10.0, application="a test")
        try:
            yield World(store, database)
        finally:
            await database.close()
