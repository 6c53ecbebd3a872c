"""An empty database, with its tables."""

from collections.abc import Iterator

import pytest

from tests.support.store import Store


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store(database_url) as opened:
        yield opened
