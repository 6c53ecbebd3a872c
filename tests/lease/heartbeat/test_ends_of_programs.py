"""Programs that end with a client open, in each way but `os._exit`: they end within seconds, leave nobody in a
queue, and what they held is released, or told and left to its ttl.
"""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import make_url

from tests.lease.stores import SHORT, Tables
from tests.support.programs import ran
from tests.support.waiting import LIMIT, wait_until

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
    done = ran([sys.executable, "-c", BEGINNING + script, url])
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


WORKER = """
import sys, threading
from lease import LeaseTiming
from lease.sync import LeaseClient

def work():
    with LeaseClient(sys.argv[1], timing=LeaseTiming(3, renew_every=0.25)) as client, client.hold("a") as held:
        threading.main_thread().join()
        print("the main thread has ended", flush=True)
        sys.stdin.readline()
        held.ensure()
    with LeaseClient(sys.argv[1]) as client, client.hold("a", wait="30s") as held:
        print(held.token, flush=True)

threading.Thread(target=work).start()
"""


LATE = """
import sys, threading
import lease

def work():
    threading.main_thread().join()
    from lease.sync import LeaseClient
    with LeaseClient(sys.argv[1]) as client, client.hold("a") as held:
        print(held.token, flush=True)

threading.Thread(target=work).start()
"""


@pytest.fixture
def url(database_url: str) -> str:
    url = make_url(database_url)
    if url.get_backend_name() == "postgresql":
        url = url.set(host="localhost")  # a name, which each connection has to look up
    return url.render_as_string(hide_password=False)


@pytest.fixture
def worker(url: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", WORKER, url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        yield process
        process.kill()


@pytest.mark.usefixtures("processes", "passing_seconds")
def test_a_lease_is_renewed_when_the_main_thread_has_ended(worker: "subprocess.Popen[str]", tables: Tables) -> None:
    assert worker.stdout is not None
    assert worker.stdout.readline() == "the main thread has ended\n"
    if tables.postgresql:
        ended = tables.value(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name LIKE 'leased%'"
        )
        assert ended > 0
    granted = tables.record("a")

    def renewed_for_longer_than_its_ttl() -> bool:
        now = tables.record("a")
        assert now.live
        assert granted.renewed_at is not None
        return now.renewed_at is not None and now.renewed_at > granted.renewed_at + timedelta(seconds=SHORT.ttl)

    wait_until(renewed_for_longer_than_its_ttl, "the lease is renewed")
    said, complaints = worker.communicate("end\n", timeout=LIMIT)
    assert (said, worker.returncode) == ("2\n", 0)
    assert all(line.startswith("AtRisk(") for line in complaints.splitlines()), complaints


@pytest.mark.usefixtures("processes", "passing_seconds")
@pytest.mark.parametrize("before", ["import lease", ""], ids=["named before", "not named before"])
def test_the_library_is_first_loaded_when_the_main_thread_has_ended(url: str, before: str) -> None:
    late = ran([sys.executable, "-c", LATE.replace("import lease", before, 1), url])
    assert (late.stdout, late.stderr) == ("1\n", "")
