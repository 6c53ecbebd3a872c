"""Databases of which the views are tried."""

from collections.abc import Iterator

import pytest

from daemon.store.views.overview import read_overview
from daemon.store.views.problems import problems
from tests.daemon.store.test_views import Rows, rows_in


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    with rows_in(database_url) as rows:
        yield rows


@pytest.fixture
def calm_rows(database_url: str) -> Iterator[Rows]:
    """A schedule with a replica, of which nothing is a problem."""
    with rows_in(database_url) as rows:
        rows.schedule()
        rows.replica()
        assert problems(read_overview(rows.connection)) == ()
        yield rows
