"""Faults do what they are for: those in the middle of a set strike there, also where the statements of sets are prepared; a full
disk is felt by every writer, and has room again afterwards; a wall clock is moved by hours, and monotonic clocks are not.
"""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import make_url, text

from daemon.execution.claim import ClaimedRun, claim
from daemon.execution.writes.batcher import WriteBatcher
from daemon.execution.writes.transactions import Done, EndedJob, EndRun
from daemon.jobs.reports import Outcome
from daemon.operations.trigger import trigger
from lease.database.opening import open_database
from lease.errors import StoreUnavailable
from tests.chaos.faults import sets
from tests.chaos.faults.clocks import clock_file, install_clock
from tests.chaos.faults.fault import Scene
from tests.chaos.faults.file import FillDisk
from tests.chaos.faults.sets import MOMENTS, KillInWrite, LoseAnswerInSet
from tests.chaos.fleet import Fleet, Slot
from tests.chaos.site import PostgresSite, SqliteSite
from tests.support.manual import until
from tests.support.moved_clock import MISSING, library
from tests.support.proxy import Proxy
from tests.support.starter import ROOT
from tests.support.store import TTL, Store, a_schedule
from tests.support.waiting import LIMIT, wait_until

NAMES = ("a", "b", "c")
BEFORE = {"runs are claimed": "pending", "attempts begin": "pending"}
"""A set that is cut off leaves all as it was before; later moments come after the claim was committed."""


class At(Random):
    """The chance that always draws the same moment."""

    def __init__(self, moment: str) -> None:
        super().__init__(1)
        self._moment = moment

    def choice(self, seq: Any) -> Any:
        assert self._moment in seq
        return self._moment


class OneProcess(Fleet):
    """A fleet whose one replica is this process, which is not started again."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def replica_pid(self, slot: Slot) -> int | None:
        del slot
        return self._process.pid

    def relaunch(self, slot: Slot) -> None:
        slot.down = False


class Sets:
    """A batcher over a proxy, and runs that live in it."""

    def __init__(self, store: Store, proxy: Proxy) -> None:
        self.store = store
        self.proxy = proxy
        url = make_url(store.url).set(port=proxy.port).render_as_string(hide_password=False)
        self.database = open_database(url, timeout=LIMIT, connections=2)
        self._batcher = WriteBatcher(self.database)

    async def live(self) -> None:
        """Claim runs in one set, and end them in others."""
        for name in NAMES:
            self.store.do(trigger, "shop", name, requested_by="ada")
        known = self.store.known(*NAMES)
        first_jobs = dict.fromkeys(NAMES, "work")

        def claims(connection: Any, limit: int) -> list[ClaimedRun]:
            return claim(connection, "shop", known, "h1", None, TTL, limit, first_jobs)

        claimed = await self._batcher.claim(claims, lambda _: len(NAMES))
        assert len(claimed) == len(NAMES)
        ended = [EndRun(one, "succeeded", job=EndedJob(one.begun or 0, Outcome("succeeded"))) for one in claimed]
        answers = await asyncio.gather(*map(self._batcher.write, ended), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        assert answers == [Done()] * len(NAMES)

    def states(self) -> set[str]:
        return {row.state for row in self.store.runs()[-len(NAMES) :]}

    def scene(self, fleet: Fleet) -> Scene:
        site = PostgresSite(["north"], Path())
        site.proxies = {"north": self.proxy}
        return Scene(site, fleet)


@pytest.fixture
async def running(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sets]:
    monkeypatch.setattr(sets, "_PATIENCE", LIMIT)
    with Store(postgres_url) as store, Proxy(make_url(postgres_url).port or 5432) as proxy:
        store.sync(*(a_schedule(name) for name in NAMES))
        made = Sets(store, proxy)
        for _ in range(8):
            await made.live()
        assert proxy.prepared, "their text passes no more"
        yield made
        await made.database.close()


@contextmanager
def a_process(program: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a program that says when it is ready, and kill it at the end."""
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], stdin=-1, stdout=-1, text=True)
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.anyio
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.sampled(2)
async def test_a_set_loses_its_answer_at_that_moment_and_no_other_connection_does(running: Sets, moment: str) -> None:
    fault = LoseAnswerInSet(running.scene(Fleet.__new__(Fleet)), At(moment), Slot("north", (), {}))
    struck = asyncio.create_task(asyncio.to_thread(fault.start))
    await until(lambda: running.proxy._aim is not None, "the fault waits for a set")
    assert await running.database.read(lambda connection: connection.scalar(text("SELECT 1"))) == 1
    assert not struck.done()
    life = asyncio.create_task(running.live())
    assert await struck
    assert await running.database.read(lambda connection: connection.scalar(text("SELECT 1"))) == 1
    assert not life.done()
    fault.stop()
    with pytest.raises(StoreUnavailable):
        await life
    await until(lambda: running.states() == {BEFORE.get(moment, "running")}, "the set is undone, or was committed")


WRITES = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
print("ready", flush=True)
while input():
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE schedule SET name = 'half'")
    print("writes", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says who has a file locked")
@pytest.mark.usefixtures("processes")
def test_a_replica_is_killed_in_a_write_and_in_nothing_else(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(sqlite_url) as store:
        store.sync(a_schedule("whole"))
        site = SqliteSite(Path())
        monkeypatch.setattr(SqliteSite, "url", sqlite_url)
        with a_process(WRITES, sqlite_url.partition("///")[2]) as process:
            scene, slot = Scene(site, OneProcess(process)), Slot("north", (), {})
            with monkeypatch.context() as patched:
                patched.setattr(sets, "_PATIENCE", 0.1)
                assert not KillInWrite(scene, Random(1), slot).start()
            assert process.poll() is None
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            assert process.stdout.readline() == "writes\n"
            monkeypatch.setattr(sets, "_PATIENCE", LIMIT)
            assert KillInWrite(scene, Random(1), slot).start()
            wait_until(lambda: process.poll() == -signal.SIGKILL, "it is dead")
        assert set(store.schedules()) == {"whole"}


@pytest.mark.parametrize("log_pages", [0, 900])
@pytest.mark.usefixtures("processes")
def test_a_full_disk_is_felt_by_writers_and_has_room_again(tmp_path: Path, log_pages: int) -> None:
    with SqliteSite(tmp_path) as site, closing(sqlite3.connect(site.path, isolation_level=None)) as connection:
        if not site.mounted:
            pytest.skip("no file system can be mounted here: run the tests as root, where mount(8) is")
        for _ in range(log_pages):  # pages that the log has then, and that can be written without one more
            connection.execute("UPDATE account SET balance = balance + 1")
        scene = Scene(site, Fleet.__new__(Fleet))
        for _ in range(3):
            fault = FillDisk(scene, Random(1))
            assert fault.start()
            with pytest.raises(sqlite3.OperationalError, match="full"):
                connection.execute("UPDATE account SET balance = balance + 1")
            fault.stop()
            connection.execute("UPDATE account SET balance = balance + 1")
    assert not site.place.exists()


PROGRAM = """
import sys, time
from lease.clock import boottime
for _ in sys.stdin:
    print(time.time(), time.monotonic(), boottime(), flush=True)
"""


@pytest.mark.skipif(library() is None, reason=MISSING)
@pytest.mark.usefixtures("processes")
def test_the_wall_clock_of_a_program_moves_by_hours_and_its_monotonic_clocks_stand(tmp_path: Path) -> None:
    environment = {"LD_PRELOAD": str(library()), "PYTHONPATH": str(ROOT), **install_clock(tmp_path, "it")}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None

        def look() -> tuple[float, ...]:
            assert program.stdin is not None
            assert program.stdout is not None
            program.stdin.write("look\n")
            program.stdin.flush()
            return tuple(map(float, program.stdout.readline().split()))

        before = look()
        clock_file(tmp_path, "it").write_text("+3h")
        after = look()
        while after[0] - before[0] < 3_000:  # it looks into the file once a second
            assert after[1] - before[1] < 20, "the wall clock did not move"
            after = look()
        program.stdin.close()
    wall, monotonic, boot = (later - earlier for earlier, later in zip(before, after, strict=True))
    assert 10_800 <= wall < 10_830
    assert 0 <= monotonic < 20
    assert abs(boot - monotonic) < 0.5
