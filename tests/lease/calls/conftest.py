"""Fixtures of calls that callers send themselves."""

from collections.abc import Iterator

import pytest

from lease.sync import LeaseClient
from tests.lease.calls.callers import warm
from tests.lease.stores import SELDOM, Recorder


@pytest.fixture
def client(database_url: str, told: Recorder) -> Iterator[LeaseClient]:
    """A client that has its wire."""
    with LeaseClient(database_url, timing=SELDOM, on_event=told) as client:
        yield warm(client)
