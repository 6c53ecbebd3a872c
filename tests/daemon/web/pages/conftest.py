"""Pages of the shop, served to a browser, and those of runs of each state, as one asks for them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.daemon.web.pages.frames import Open, served_pages
from tests.daemon.web.pages.runs_of_each_state import runs_of_each_state
from tests.support import browsing
from tests.support.asgi import asked
from tests.support.shop import fill_shop


@pytest.fixture
def browser(processes: None) -> Iterator[Browser]:
    """Of one test: while it is open, no other event loop can run in this thread."""
    with browsing.browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def shop(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a database with the past and the present of a shop; it is only read."""
    path = tmp_path_factory.mktemp("shop") / "leased.db"
    shutil.copy(sqlite_template, path)
    fill_shop(f"sqlite:///{path}")
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def site(shop: str) -> Iterator[str]:
    """The address of its pages."""
    with browsing.served(shop) as address:
        yield address


@pytest.fixture
def made(database_url: str) -> dict[str, int]:
    """Runs of each state in a database of the test, by what they are."""
    return runs_of_each_state(database_url)


@pytest.fixture
def opened(database_url: str) -> Iterator[Open]:
    """Ask for a page of that database."""
    with served_pages(database_url) as app:
        yield lambda path: asked(app, "GET", path)
