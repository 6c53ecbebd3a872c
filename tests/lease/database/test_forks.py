"""SQLite in a process that was forked: what was open at the fork decides whether it can be used there."""

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

import lease
from lease.database.file_connection import FileConnection
from lease.sync import LeaseClient
from tests.lease.stores import STEADY
from tests.support.forking import in_forked_child, is_refused
from tests.support.programs import ran

pytestmark = [
    pytest.mark.usefixtures("processes"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # from Python 3.12 on
]


def token(url: str) -> int:
    with LeaseClient(url, timing=STEADY) as client, client.hold("a") as held:
        return held.token


def opened(url: str, _: lease.Grant) -> None:
    token(url)


def connected(url: str, _: lease.Grant) -> None:
    FileConnection(make_url(url).database or "")


def opened_another(url: str, _: lease.Grant) -> None:
    try:
        token(f"{url}-of-a-child")
    finally:
        assert not Path(f"{make_url(url).database}-of-a-child").exists()


def fenced(url: str, grant: lease.Grant) -> None:
    with create_engine(url).begin() as connection:
        lease.fence(connection, grant)


@pytest.mark.parametrize("way", [opened, opened_another, connected, fenced])
def test_where_a_file_was_open_at_the_fork_the_child_can_use_no_sqlite(
    sqlite_url: str, way: Callable[[str, lease.Grant], None]
) -> None:
    with LeaseClient(sqlite_url, timing=STEADY) as client, client.hold("b") as held:
        said = in_forked_child(lambda: way(sqlite_url, held.grant))
        assert is_refused(said), said
        held.ensure()


def test_a_child_of_that_child_is_refused_too_and_what_it_starts_anew_is_not(sqlite_url: str) -> None:
    program = f"from tests.lease.database.test_forks import token\nprint(token({sqlite_url!r}))"

    with LeaseClient(sqlite_url, timing=STEADY):
        said = in_forked_child(lambda: in_forked_child(lambda: token(sqlite_url)))
        assert is_refused(said), said
        assert in_forked_child(lambda: int(ran([sys.executable, "-c", program]).stdout)) == "1"


def test_where_all_were_closed_before_the_fork_the_child_can_open_one(sqlite_url: str) -> None:
    assert token(sqlite_url) == 1
    with pytest.raises(lease.StoreUnavailable):
        token(f"{sqlite_url}/no-folder/leased.db")
    assert in_forked_child(lambda: token(sqlite_url)) == "2"
    assert token(sqlite_url) == 3


def test_what_is_closed_or_could_not_be_opened_is_no_open_file_although_it_is_referred_to(sqlite_url: str) -> None:
    kept = FileConnection(make_url(sqlite_url).database or "")
    kept.close()
    with pytest.raises(sqlite3.OperationalError) as of_one_that_was_not_opened:
        FileConnection(f"{make_url(sqlite_url).database}/no-folder/leased.db")
    assert in_forked_child(lambda: token(sqlite_url)) == "1"
    del kept, of_one_that_was_not_opened


def test_what_was_made_before_the_fork_says_what_to_do(sqlite_url: str) -> None:
    with LeaseClient(sqlite_url, timing=STEADY) as client, client.hold("a") as held:
        for work in (lambda: client.acquire("b"), held.ensure):
            said = in_forked_child(work)
            assert "not on SQLite, which was open at the fork" in said, said


LEAVING = """
import os, sys, threading, warnings
from lease.sync import LeaseClient
warnings.simplefilter("ignore", DeprecationWarning)
with LeaseClient(sys.argv[1], on_event=lambda event: None) as client, client.hold("a") as held:
    stop = threading.Event()
    def use():
        while not stop.is_set():
            with client.hold("b", wait="30s"):
                pass
    using = threading.Thread(target=use)
    using.start()
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            sys.exit(5)
        children.append(child)
    statuses = {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children}
    stop.set()
    using.join()
    held.ensure()
    print(statuses, client.read("a").token, client.read("a").live)
"""


def test_children_that_leave_the_block_end_nothing_of_their_parents(database_url: str) -> None:
    """By `sys.exit`, which runs all that Python does at the end of a program."""
    done = ran([sys.executable, "-c", LEAVING, database_url])
    assert (done.stdout, done.stderr) == ("{5} 1 True\n", "")
