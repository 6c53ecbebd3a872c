"""`--fast`: the tests that start no process and need no database of their own; with `--sqlite`, those on a SQLite
file as well.

A pytest plugin. There is no list of them: a test that starts a process asks for the fixture
`processes`, mostly through another fixture, and one for which time must pass, or that tries many cases,
asks for `passing_seconds`; all others are fast, and fail if they start a process.
"""

import os
import sys
from collections.abc import Collection, Generator
from pathlib import Path

import pytest

STARTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.exec", "os.system")
SLOW = {"processes", "passing_seconds"}
FILES = {"sqlite_url", "empty_sqlite_url"}
SENTENCE = "it starts a process, and is no fast test: let it ask for the fixture `processes`"
MEMORY = "/dev/shm"  # noqa: S108 - pytest makes a folder of its own in it, for this user only
ROOM = 4_000_000_000
"""How many bytes must be free there."""
AT_WORK = pytest.StashKey[list[pytest.Item]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="only the tests that start no process and need no database")
    parser.addoption("--sqlite", action="store_true", help="with --fast: those on a SQLite file as well")


@pytest.fixture(scope="session")
def processes() -> None:
    """Mark a test that starts processes or needs a server."""


@pytest.fixture(scope="session")
def passing_seconds() -> None:
    """Mark a test that takes long: time must pass on a real clock, or it tries many cases."""


def starts_nothing(item: pytest.Item) -> bool:
    return SLOW.isdisjoint(getattr(item, "fixturenames", ())) and "postgres" not in _parameters(item)


def on_sqlite(item: pytest.Item) -> bool:
    return not FILES.isdisjoint(getattr(item, "fixturenames", ())) or "sqlite" in _parameters(item)


def _parameters(item: pytest.Item) -> Collection[object]:
    return item.callspec.params.values() if hasattr(item, "callspec") else ()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import the stories: each of them starts replicas."""
    return True if config.getoption("fast") and collection_path.name == "stories" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("fast"):
        fast = [item for item in items if starts_nothing(item) and (config.getoption("sqlite") or not on_sqlite(item))]
        config.hook.pytest_deselected(items=list(set(items).difference(fast)))
        items[:] = fast


def pytest_configure(config: pytest.Config) -> None:
    at_work: list[pytest.Item] = []

    def refuse(event: str, _arguments: object) -> None:
        if at_work and event in STARTS:
            pytest.fail(SENTENCE)

    config.stash[AT_WORK] = at_work
    if _has_room(
        MEMORY
    ):  # else SQLite waits for the disk; one that stalls for 2 s breaks promises that are made in seconds
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)
    if config.getoption("fast"):
        sys.addaudithook(refuse)


def _has_room(folder: str) -> bool:
    try:
        free = os.statvfs(folder)
    except OSError:
        return False
    return not free.f_flag & os.ST_NOEXEC and free.f_bavail * free.f_frsize >= ROOM and os.access(folder, os.W_OK)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    item.config.stash[AT_WORK].append(item)
    try:
        return (yield)
    finally:
        item.config.stash[AT_WORK].remove(item)
