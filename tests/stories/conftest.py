"""Stories run on Linux: they look into /proc."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
def postgres_story(story_folder: Path, postgres_url: str, starter: Starter) -> Iterator[Story]:
    """A story that only PostgreSQL has, or for which one kind is enough."""
    with Story(story_folder, postgres_url, starter) as told:
        yield told
