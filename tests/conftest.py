"""Fixtures of all tests. A database of either kind is one fixture away:

`postgres_url`, `sqlite_url`              a database with all tables, all empty
`empty_postgres_url`, `empty_sqlite_url`  a fresh database without any
`database_url`, `empty_database_url`      the test runs once on each kind
`postgres_programs`                       for `PostgresServer(postgres_programs)`, a server of the test's own

`starvation`                              how busy this machine is with others, for promises that are made in seconds
`processes`                               what starts processes asks for it, and is none of the fast tests
`passing_seconds`                         what must let time pass asks for it, and is none of them either
`own_heap`                                a test that runs the garbage collector asks for it
"""

import gc
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from tests.support.binaries import Binaries, NoPostgresError, binaries
from tests.support.databases import (
    DEFAULT_VERSION,
    KINDS,
    KeptDatabase,
    Server,
    fresh_database,
    make_tables,
    start_server,
    was_chosen,
)
from tests.support.starvation import Starvation, measured

pytest_plugins = [
    "tests.support.compiled",
    "tests.support.fast",
    "tests.support.levels",
    "tests.support.signals",
    "tests.support.sql",
]

STACK = pytest.StashKey[ExitStack]()
SERVER = pytest.StashKey[Server | str]()

# A busy machine is no failure.
settings.register_profile("leased", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("leased")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STACK] = ExitStack()
    given = getattr(config, "workerinput", {}).get("postgres")
    if given is not None:
        config.stash[SERVER] = given if isinstance(given, str) else Server(**given)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give each worker of pytest-xdist the one server, which this process started and will end."""
    if node.config.getoption("fast"):
        return
    server = _session_server(node.config)
    node.workerinput["postgres"] = server if isinstance(server, str) else asdict(server)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected: hardly anything goes."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Leave the modules and the tests themselves out of garbage collection (and what little garbage there is, which takes a
    second to find), and let it come seldom: it takes a sixth of the time of most tests.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[STACK].close()


@pytest.fixture(autouse=True)
def settings_end_with_the_test() -> Iterator[None]:
    """A setting that a test leaves in the environment would reach the commands of those after it."""
    before = _settings()
    yield
    assert _settings() == before


def _settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("LEASE_", "LEASED_"))}


@pytest.fixture
def own_heap() -> None:
    """Let the garbage collector look at nothing that other tests have left: that takes half a second each time, and stops
    every thread meanwhile.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config, processes: None) -> Server:
    server = _session_server(pytestconfig)
    if isinstance(server, str):
        _do_without(server)
    return server


@pytest.fixture(scope="session")
def postgres_programs(pytestconfig: pytest.Config, processes: None) -> Iterator[Binaries]:
    """PostgreSQL's own programs, whichever server the other tests use."""
    server = _session_server(pytestconfig)
    if isinstance(server, Server) and server.programs is not None:
        yield Binaries(Path(server.programs))
        return
    try:
        programs = binaries(DEFAULT_VERSION)
    except NoPostgresError as missing:
        pytest.skip(str(missing))
    yield programs
    programs.remove()


@pytest.fixture(scope="session")
def kept_database(postgres_server: Server) -> Iterator[KeptDatabase]:
    kept = KeptDatabase(postgres_server)
    yield kept
    kept.drop()


@pytest.fixture
def postgres_url(kept_database: KeptDatabase) -> str:
    return kept_database.make_ready()


@pytest.fixture
def empty_postgres_url(postgres_server: Server) -> Iterator[str]:
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "leased.db"
    make_tables(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    shutil.copy(sqlite_template, tmp_path / "leased.db")
    return f"sqlite:///{tmp_path / 'leased.db'}"


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'leased.db'}"


@pytest.fixture
def starvation(request: pytest.FixtureRequest, tmp_path: Path, processes: None) -> Iterator[Starvation]:
    # The PostgreSQL of the tests does not wait for the disk.
    with measured(tmp_path, disk="sqlite" in request.node.name) as starvation:
        yield starvation


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=KINDS)
def empty_database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"empty_{request.param}_url"))


def _session_server(config: pytest.Config) -> Server | str:
    """The server, or the sentence that says why there is none. Started by the first who needs it."""
    if SERVER not in config.stash:
        try:
            config.stash[SERVER] = start_server(config.stash[STACK])
        except NoPostgresError as missing:
            config.stash[SERVER] = str(missing)
    return config.stash[SERVER]


def _do_without(reason: str) -> NoReturn:
    if was_chosen():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
