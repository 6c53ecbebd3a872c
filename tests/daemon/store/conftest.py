"""The database of a store whose views are tried."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from daemon.store.views import problems, read_overview
from tests.daemon.store.test_views import Rows


@pytest.fixture
def calm_rows(database_url: str) -> Iterator[Rows]:
    """A schedule with a replica, of which nothing is a problem."""
    engine = create_engine(database_url, poolclass=NullPool)
    with engine.begin() as connection:
        rows = Rows(connection)
        rows.schedule()
        rows.replica()
        assert problems(read_overview(connection)) == ()
        yield rows
    engine.dispose()
