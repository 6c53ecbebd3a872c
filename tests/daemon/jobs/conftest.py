"""A trust page that lasts as long as the test of a child."""

from collections.abc import Iterator

import pytest

from daemon.jobs.processes.trust_page import TrustPage
from lease.clock import boottime
from tests.daemon.jobs.trust import a_page


@pytest.fixture
def trust() -> Iterator[TrustPage]:
    page = a_page(boottime() + 3600)
    yield page
    page.close()
