"""The daemon in a process that was forked while an SQLite file was open: it opens none (see `lease.database.forks`)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest
from sqlalchemy import create_engine

from daemon import Schedules
from daemon.cli import main
from lease.sync import LeaseClient
from tests.support.forking import in_forked_child, is_refused

pytestmark = [
    pytest.mark.usefixtures("processes"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # from Python 3.12 on
]
SCHEDULES = Schedules("shop", timezone="UTC")
SCHEDULES.add("nightly", cron="0 2 * * *").command("orders", "true", timeout="1m")


def requested(url: str) -> None:
    with create_engine(url).connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        SCHEDULES.trigger("nightly", connection=connection)


def embedded(url: str) -> None:
    async def serve() -> None:
        async with SCHEDULES.replica(url):
            pass

    asyncio.run(serve())


@pytest.mark.parametrize("way", [requested, embedded], ids=["request", "replica"])
def test_what_a_program_asks_for_is_refused(sqlite_url: str, way: Callable[[str], None]) -> None:
    with LeaseClient(sqlite_url):
        said = in_forked_child(lambda: way(sqlite_url))
    assert is_refused(said), said


@pytest.mark.parametrize("arguments", [("status",), ("db", "upgrade")], ids=["status", "upgrade"])
def test_a_command_is_refused(sqlite_url: str, arguments: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    def call() -> int:
        with suppress(SystemExit):
            return main([*arguments, "--database", sqlite_url])
        return -1

    with LeaseClient(sqlite_url):
        assert in_forked_child(call) == "1"
    assert is_refused(" ".join(capfd.readouterr().err.split()))
