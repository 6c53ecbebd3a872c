"""The harness itself: databases that come and go, servers that leave nothing behind."""

import itertools
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests.support import yardstick
from tests.support.binaries import Binaries
from tests.support.databases import KINDS, Server, fresh_database
from tests.support.fast import SENTENCE
from tests.support.postgres import PostgresServer, plain, query
from tests.support.programs import ran
from tests.support.proxy import Proxy
from tests.support.starter import ROOT
from tests.support.starvation import Starvation
from tests.support.waiting import LIMIT, wait_until
from tests.support.yardstick import boottime


def test_a_database_is_dropped_even_while_it_is_used(postgres_server: Server) -> None:
    with fresh_database(postgres_server) as url:
        left_open = psycopg.connect(url.replace("+psycopg", ""))
    with pytest.raises(psycopg.OperationalError):
        left_open.execute("SELECT 1")
    left_open.close()
    name = url.rpartition("/")[2]
    assert query(postgres_server.url, f"SELECT FROM pg_database WHERE datname = '{name}'") == []


def test_a_server_of_ones_own_recovers_from_kill9_and_leaves_nothing_behind(postgres_programs: Binaries) -> None:
    with PostgresServer(postgres_programs, config=["work_mem = '5MB'"]) as server:
        server.psql("CREATE TABLE kept AS SELECT 7 AS seven")
        server.kill9()
        server.start()
        assert server.psql("SELECT seven FROM kept") == [(7,)]
        server.restart()
        assert server.psql("SHOW work_mem") == [("5MB",)]
        pid = server.pid
    assert not server.folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_no_test_puts_back_what_is_left_out_of_garbage_collection() -> None:
    """Each collection of those after it would look through all that is loaded; a test asks for `own_heap` instead."""
    call = "gc." + "unfreeze("
    assert [file for file in (ROOT / "tests").rglob("*.py") if call in file.read_text()] == []


@pytest.mark.skipif(sys.platform != "linux", reason="finds the server's processes in /proc")
@pytest.mark.extended
def test_a_paused_server_is_silent_and_then_goes_on(postgres_programs: Binaries) -> None:
    with PostgresServer(postgres_programs) as server:
        stat = Path(f"/proc/{server.pid}/stat")
        server.pause()
        wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "the postmaster is stopped")
        server.resume()
        assert server.psql("SELECT 1") == [(1,)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a server a uid of its own")
@pytest.mark.extended
def test_a_server_started_by_root_runs_under_a_uid_without_a_login(postgres_programs: Binaries) -> None:
    users_before = Path("/etc/passwd").read_text()
    with PostgresServer(postgres_programs) as server:
        uid = (server.folder / "data" / "PG_VERSION").stat().st_uid
        assert uid != 0
        assert f":{uid}:" not in users_before
    assert Path("/etc/passwd").read_text() == users_before


def test_what_a_deaf_line_held_back_is_gone_with_its_connection(postgres_server: Server) -> None:
    target = make_url(postgres_server.url)
    with Proxy(target.port or 5432, target.host or "127.0.0.1") as proxy:
        through = target.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
        line = psycopg.connect(plain(through), autocommit=True)
        proxy.swallow_answer_to("SELECT 7")
        with ThreadPoolExecutor(1) as aside:
            asked = aside.submit(line.execute, "SELECT 7")
            wait_until(lambda: proxy.deaf, "the answer is held back")
            proxy.reset()
            proxy.heal()
            with pytest.raises(psycopg.OperationalError):
                asked.result(timeout=LIMIT)
        line.close()
        assert query(through, "SELECT 8") == [(8,)]


def test_for_how_long_a_process_was_kept_waiting_is_measured(starvation: Starvation) -> None:
    began = boottime()
    os.kill(starvation.pid, signal.SIGSTOP)
    wait_until(lambda: boottime() > began + 0.5, "half a second is over")
    os.kill(starvation.pid, signal.SIGCONT)
    ended = boottime()
    assert 0.9 * (ended - began) < starvation.between(began, ended) <= ended - began
    rounds = starvation.rounds()
    assert sum(late for *_, late in rounds) >= starvation.between(began, ended)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(rounds))
    with pytest.raises(AssertionError, match=r"the story: it took 60\.\d{3} s, .* 50 s are promised"):
        starvation.assert_within(50.0, began - 60, began, "the story")
    starvation.assert_within(0.1, began, ended, "the same, which nobody could have done")


SLOW_DISK = """
import os, runpy, sys, time

os.fdatasync = os.fsync = lambda file: time.sleep(0.2)
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def test_what_a_slow_disk_takes_counts_as_waiting() -> None:
    started = [sys.executable, "-c", SLOW_DISK, yardstick.__file__, "--disk"]
    with subprocess.Popen(started, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        late = [float(process.stdout.readline().split()[2]) for _ in range(30)]
        process.kill()
    assert max(late) > 0.2 - yardstick.SYNC - 0.001


FAST_AND_NOT = """
import subprocess, pytest

def test_pure():
    pass

@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_on_each(kind):
    assert kind == "sqlite"

def test_that_says_what_it_does(processes):
    subprocess.run(["true"])

@pytest.fixture
def helper(processes):
    subprocess.run(["true"])

def test_whose_fixture_says_so(helper):
    pass

def test_that_hides_it():
    with pytest.raises(Exception):
        subprocess.run(["true"])
"""


@pytest.mark.usefixtures("processes")
@pytest.mark.extended
def test_of_the_fast_tests_none_starts_a_process_unnoticed(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(FAST_AND_NOT)
    options = ["-q", "-p", "tests.support.fast", "-p", "no:cacheprovider", "--color=no"]
    answers = [
        ran([sys.executable, "-P", "-m", "pytest", *options, *more], tmp_path).stdout
        for more in ([], ["--fast"], ["--fast", "--sqlite"])
    ]
    assert "2 failed, 4 passed" in answers[0]
    assert "1 failed, 1 passed, 4 deselected" in answers[1]
    assert "1 failed, 2 passed, 3 deselected" in answers[2]
    assert "FAILED test_some.py::test_that_hides_it" in answers[1]
    assert SENTENCE in answers[1]


@pytest.mark.extended
@pytest.mark.parametrize(
    ("file", "options", "kinds"),
    [
        ("tests/daemon/store/test_why.py", ("-m", "not extended"), 2),
        ("tests/lease/test_async_client.py", ("-m", "not extended"), 1),
        ("tests/lease/test_async_client.py", (), 2),
        ("tests/daemon/scheduling/test_rollout.py", (), 1),
        ("tests/daemon/scheduling/test_rollout.py", ("--all",), 2),
    ],
)
def test_a_test_runs_on_so_many_kinds_of_database(
    file: str, options: tuple[str, ...], kinds: int, processes: None
) -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *options, file]
    collected = ran(command).stdout
    of_kinds = {
        kind: {line.partition("[")[0] for line in collected.splitlines() if f"[{kind}]" in line} for kind in KINDS
    }
    of_both, of_any = set.intersection(*of_kinds.values()), set.union(*of_kinds.values())
    assert len(of_any) > 5
    assert of_both == (of_any if kinds == 2 else set())


INHERITED = """
import os, signal, subprocess, pytest

@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_inherited(number, processes):
    os.kill(os.getpid(), number)
    assert subprocess.run(["sh", "-c", f"ulimit -c 0; kill -{number} $$"]).returncode == -number
"""
IGNORING = "trap '' HUP INT QUIT; exec \"$@\""


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("workers", ["0", pytest.param("1", marks=pytest.mark.extended)])
def test_what_a_run_has_inherited_as_ignored_its_tests_do_not_pass_on(tmp_path: Path, workers: str) -> None:
    """Under `nohup make test`, what tests start reacts to signals, and the run itself still does not."""
    (tmp_path / "test_some.py").write_text(INHERITED)
    options = ["-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "-n", workers]
    command = ["sh", "-c", IGNORING, "sh", sys.executable, "-P", "-m", "pytest", *options]
    done = ran(command, tmp_path, LEASED_TEST_POSTGRES="none")  # no such server, on purpose
    assert "3 passed" in done.stdout, done.stdout + done.stderr
