"""Programs that end with a client open, in each way but `os._exit`: they end within seconds, leave nobody in a
queue, and what they held is released, or told and left to its ttl.
"""

import subprocess
import sys

import pytest
from sqlalchemy import make_url

from tests.lease.stores import Tables
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.usefixtures("processes")
BEGINNING = """
import asyncio, sys, threading
import lease
from lease import LeaseTiming
from lease.sync import LeaseClient

timing = LeaseTiming(ttl=60, renew_every=20, kill_time=0.5)

def in_daemon(work):
    threading.Thread(target=work, daemon=True).start()
"""
OPEN = "client = LeaseClient(sys.argv[1], timing=timing).__enter__()\n"
WAITING = """
def wait():
    client.acquire("b", wait=None)

in_daemon(wait)
while not (client.read("b") and client.read("b").waiting):
    pass
"""
HOLDING = """
held = threading.Event()

def hold():
    with client.hold("a") as lease:
        held.set()
        lease.lost.wait()

in_daemon(hold)
held.wait()
"""
ASYNC = """
async def main():
    client = await lease.LeaseClient(sys.argv[1], timing=timing).__aenter__()
    await client.acquire("a")
    sys.exit(3)

asyncio.run(main())
"""
LEFT = "its work may still be running; the lease ends with its ttl"


def ended(script: str, tables: Tables) -> tuple[int, str]:
    """Return the exit status of a program, which has to end soon, and what it said."""
    url = make_url(tables.url).render_as_string(hide_password=False)
    command = [sys.executable, "-c", BEGINNING + script, url]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=LIMIT)
    return done.returncode, done.stderr


def holder(tables: Tables) -> str | None:
    return tables.record("a").holder


@pytest.mark.parametrize("script", [OPEN + "client.acquire('a')\nsys.exit(3)", ASYNC], ids=["sync", "async"])
@pytest.mark.sampled(1)
def test_what_the_program_itself_held_is_told_and_left_to_its_ttl(script: str, tables: Tables) -> None:
    status, said = ended(script, tables)
    assert status == 3
    assert LEFT in said
    assert "Traceback" not in said
    assert holder(tables) is not None


def test_an_error_that_nobody_catches_is_the_only_traceback(tables: Tables) -> None:
    status, said = ended(OPEN + "client.acquire('a')\nraise RuntimeError('boom')", tables)
    assert status == 1
    assert said.count("Traceback") == 1
    assert LEFT in said


def test_what_a_thread_holds_that_heeds_the_loss_is_released(tables: Tables) -> None:
    status, said = ended(OPEN + HOLDING + "sys.exit(3)", tables)
    assert status == 3
    assert LEFT not in said
    assert holder(tables) is None


def test_who_waits_leaves_the_queue(tables: Tables) -> None:
    tables.one("b", holder="ben")
    assert ended(OPEN + WAITING + "sys.exit(3)", tables)[0] == 3
    assert tables.record("b").waiting == ()
    assert tables.record("b").holder == "ben"


def test_who_holds_nothing_ends_without_a_word(tables: Tables) -> None:
    assert ended(OPEN + "with client.hold('a'):\n    pass\nsys.exit(3)", tables) == (3, "")
    assert holder(tables) is None
