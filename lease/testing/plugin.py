"""The pytest fixture `leases`: put ``pytest_plugins = ["lease.testing.plugin"]`` into conftest.py."""

import pytest

from .leases import ManualLeases


@pytest.fixture
def leases() -> ManualLeases:
    """Leases without a database, whose time the test moves (`lease.testing.ManualLeases`)."""
    return ManualLeases()
