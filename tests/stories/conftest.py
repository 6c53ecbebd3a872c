"""Stories run on Linux: they look into /proc."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from daemon.store import migrations
from tests.support.binaries import Binaries
from tests.support.postgres import PostgresServer
from tests.support.proxy import Proxy
from tests.support.replicas import Story
from tests.support.starter import Starter


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if sys.platform != "linux":
        for item in items:
            item.add_marker(pytest.mark.skip(reason="stories look into /proc"))


@pytest.fixture(autouse=True)
def processes_of_a_story(processes: None) -> None:
    """No story is a fast test."""


@pytest.fixture(scope="session")
def starter() -> Iterator[Starter]:
    made = Starter()
    yield made
    made.end()


@pytest.fixture
def story_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "story"
    folder.mkdir()
    return folder


@pytest.fixture
def story(story_folder: Path, database_url: str, starter: Starter) -> Iterator[Story]:
    """A story on each kind of database."""
    with Story(story_folder, database_url, starter) as told:
        yield told


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    """A way to the database that a test can break."""
    with Proxy(make_url(postgres_url).port or 5432) as made:
        yield made


@pytest.fixture
def proxied_url(postgres_url: str, proxy: Proxy) -> str:
    return make_url(postgres_url).set(port=proxy.port).render_as_string(hide_password=False)


@pytest.fixture
def proxied_story(story_folder: Path, proxied_url: str, starter: Starter) -> Iterator[Story]:
    with Story(story_folder, proxied_url, starter) as told:
        yield told


@pytest.fixture
def own_server(postgres_programs: Binaries) -> Iterator[PostgresServer]:
    with PostgresServer(postgres_programs) as server:
        migrations.upgrade(server.url())
        yield server


@pytest.fixture
def server_story(story_folder: Path, own_server: PostgresServer, starter: Starter) -> Iterator[Story]:
    """A story on a server of its own."""
    with Story(story_folder, own_server.url(), starter) as told:
        yield told


@pytest.fixture
def postgres_story(story_folder: Path, postgres_url: str, starter: Starter) -> Iterator[Story]:
    """A story that only PostgreSQL has, or for which one kind is enough."""
    with Story(story_folder, postgres_url, starter) as told:
        yield told
