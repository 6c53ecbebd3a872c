"""Processes whose main thread ends while their other threads go on, and the threads that last (rule 8)."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import make_url

from lease.threads import LastingLoop, LastingThreads
from tests.lease.stores import SHORT, Tables
from tests.support.waiting import LIMIT, wait_until

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
    command = [sys.executable, "-c", LATE.replace("import lease", before, 1), url]
    late = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert (late.stdout, late.stderr) == ("1\n", "")


@pytest.fixture
def threads() -> Iterator[LastingThreads]:
    with LastingThreads(2, "test") as threads:
        yield threads


def test_no_more_threads_are_started_than_are_allowed(threads: LastingThreads) -> None:
    assert threads.submit(threading.current_thread).result(LIMIT).daemon
    let_go = threading.Event()
    begun = [threading.Event() for _ in range(3)]

    def wait(number: int) -> str:
        begun[number].set()
        assert let_go.wait(LIMIT)
        return threading.current_thread().name

    calls = [threads.submit(wait, number) for number in range(3)]
    assert begun[0].wait(LIMIT)
    assert begun[1].wait(LIMIT)
    assert not begun[2].is_set()
    let_go.set()
    assert {call.result(LIMIT) for call in calls} == {"test-0", "test-1"}


def test_a_thread_that_has_nothing_to_do_does_the_next_call(threads: LastingThreads) -> None:
    def work() -> str:
        name: str = threads.submit(lambda: threading.current_thread().name).result(LIMIT)
        wait_until(lambda: threads._busy == 0, "it has nothing to do")
        return name

    assert {work() for _ in range(3)} == {"test-0"}


def test_without_a_thread_a_call_ends_with_an_error_and_one_that_is_there_does_the_work_of_the_others(
    threads: LastingThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 8: a machine that is short of threads for a while stops no client."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="no thread can be started"):
            threads.submit(sum, [1, 2]).result(LIMIT)
    assert threads.submit(sum, [1, 2]).result(LIMIT) == 3
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert [call.result(LIMIT) for call in [threads.submit(sum, [1, number]) for number in range(3)]] == [1, 2, 3]


def test_an_error_of_a_call_is_that_of_its_future_and_the_thread_goes_on(threads: LastingThreads) -> None:
    with pytest.raises(SystemExit):
        threads.submit(sys.exit).result(LIMIT)
    assert threads.submit(sum, [1, 2]).result(LIMIT) == 3


@pytest.mark.parametrize("told", [True, False])
def test_a_shutdown_ends_what_is_under_way_well_and_cancels_the_rest_if_told(*, told: bool) -> None:
    threads, let_go, begun = LastingThreads(1, "test"), threading.Event(), threading.Event()

    def wait() -> bool:
        begun.set()
        return let_go.wait(LIMIT)

    first, second = threads.submit(wait), threads.submit(wait)
    assert begun.wait(LIMIT)
    threads.shutdown(wait=False, cancel_futures=told)
    assert second.cancelled() is told
    with pytest.raises(RuntimeError, match="shut down"):
        threads.submit(wait)
    let_go.set()
    threads.shutdown()
    assert first.result(0)
    assert told or second.result(0)


def test_an_event_loop_is_closed_without_a_wait_for_its_blocking_calls() -> None:
    loop, begun, let_go, ended = LastingLoop(), threading.Event(), threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        let_go.wait(LIMIT)
        ended.set()

    loop.run_in_executor(None, block)
    assert begun.wait(LIMIT)
    loop.close()
    assert not ended.is_set()
    let_go.set()
