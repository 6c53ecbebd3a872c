"""Stories run on Linux: they look into /proc.

With LEASED_STORIES=once, as in `make test`, one that both kinds of database have is told on one of them, in
turn, and the long ones are left out; `make stories` tells all.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest

from tests.support.replicas import Story
from tests.support.starter import Starter

KINDS = ("sqlite", "postgres")
HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    is_server_there = isinstance(getattr(config, "workerinput", {}).get("postgres"), dict)
    if os.environ.get("LEASED_STORIES") == "once" and is_server_there:
        ids = {item.nodeid for item in items}
        left_out = [item for item in items if HERE in item.path.parents and _is_left_out(item, ids)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    if sys.platform != "linux":
        for item in items:
            item.add_marker(pytest.mark.skip(reason="stories look into /proc"))


def _is_left_out(item: pytest.Item, nodes: set[str]) -> bool:
    return item.get_closest_marker("long") is not None or _is_told_elsewhere(item.nodeid, nodes)


def _is_told_elsewhere(node: str, nodes: set[str]) -> bool:
    """Return whether it is the other kind's turn, and this story is there for both."""
    test, _, parameters = node.partition("[")
    given = parameters.rstrip("]").split("-")
    kind = next((kind for kind in KINDS if kind in given), None)
    if kind is None:
        return False
    (other,) = {*KINDS} - {kind}
    twin = f"{test}[{'-'.join(other if one == kind else one for one in given)}]"
    return twin in nodes and KINDS[crc32(test.encode()) % 2] != kind


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
