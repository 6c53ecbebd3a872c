"""SQLite's writer gate: where many threads of one process come to it, and whose its file is."""

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lease.database import writer_gate
from lease.database.writer_gate import WriterGate, WriterGateBusy
from tests.support.binaries import readable_temporary_folder
from tests.support.forking import in_forked_child
from tests.support.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from Python 3.12 on
LIMIT = 10.0


def open_files() -> int:
    return len([*Path("/dev/fd").iterdir()])


def pass_once(path: str) -> bool:
    with WriterGate(path) as entrance:
        entrance.pass_within(LIMIT)
    return True


def test_the_writer_gate_lets_one_through_and_tells_who_waits_too_long(tmp_path: Path) -> None:
    path = str(tmp_path / "leased.db")
    open_before = open_files()
    with WriterGate(path) as first:
        first.pass_within(1.0)
        with WriterGate(path) as second:
            assert not second.pass_now()
            with pytest.raises(WriterGateBusy, match=r"leased\.db"):
                second.pass_within(0.05)
            with pytest.raises(WriterGateBusy, match=r"leased\.db"):
                asyncio.run(second.pass_soon(0.05))
    with WriterGate(path) as third:
        assert third.pass_now()
    assert open_files() <= open_before  # what earlier tests left may be collected meanwhile


def test_to_wait_for_the_writer_gate_blocks_no_event_loop(tmp_path: Path) -> None:
    async def wait_for_one_who_is_in_the_same_loop() -> None:
        with WriterGate(str(tmp_path / "leased.db")) as second:
            with WriterGate(str(tmp_path / "leased.db")) as first:
                assert first.pass_now()
                waiting = asyncio.create_task(second.pass_soon(LIMIT))
                await asyncio.sleep(0)
            await waiting

    asyncio.run(wait_for_one_who_is_in_the_same_loop())


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("is_heard_of", [True, False])
def test_a_child_that_was_forked_meanwhile_does_not_keep_the_writer_gate(tmp_path: Path, is_heard_of: bool) -> None:
    """It inherits the open file; closing it in the parent alone would leave it locked for the child's life, if Python
    does not hear of the fork (that of `subprocess`, say).
    """
    path = str(tmp_path / "leased.db")
    reading, writing = os.pipe()
    with WriterGate(path) as first:
        first.pass_within(1.0)
        child = os.fork() if is_heard_of else ctypes.PyDLL(None).fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
    with WriterGate(path) as second:
        passed = second.pass_now()
    os.close(writing)
    os.close(reading)
    os.waitpid(child, 0)
    assert passed


def test_of_one_process_one_thread_at_a_time_looks_whether_it_may_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty that look each millisecond took the processor from who was in, and from the renewals."""
    path = str(tmp_path / "leased.db")
    looks: list[int] = []
    pass_now = WriterGate.pass_now

    def watched(entrance: WriterGate) -> bool:
        looks.append(threading.get_ident())
        return pass_now(entrance)

    with ThreadPoolExecutor(4) as threads:
        with WriterGate(path) as first:
            assert first.pass_now()
            monkeypatch.setattr(WriterGate, "pass_now", watched)
            passes = [threads.submit(pass_once, path) for _ in range(4)]
            wait_until(lambda: len(looks) > 50, "somebody looks again and again")
            looking = set(looks)
            with WriterGate(path) as late, pytest.raises(WriterGateBusy):
                late.pass_within(0.01)
        assert all(one.result(LIMIT) for one in passes)
    assert len(looking) == 1


@pytest.mark.usefixtures("processes")
def test_a_child_that_was_forked_while_a_thread_waited_can_pass(tmp_path: Path) -> None:
    path = str(tmp_path / "leased.db")
    with ThreadPoolExecutor(1) as threads:
        with WriterGate(path) as first:
            first.pass_within(1.0)
            waiting = threads.submit(pass_once, path)
            wait_until(lambda: path in writer_gate._waiting and writer_gate._waiting[path].locked(), "a thread waits")
            child = os.fork()
            if child == 0:
                os._exit(0 if pass_once(path) else 1)
        assert waiting.result(LIMIT)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.usefixtures("processes")
def test_a_child_leaves_the_block_of_its_parent_and_closes_no_file_but_the_writer_gates(tmp_path: Path) -> None:
    with WriterGate(str(tmp_path / "leased.db")) as left:
        pass
    # Its descriptor may be the one that was left.
    with (tmp_path / "other").open("w") as other, WriterGate(str(tmp_path / "leased.db")) as passed:
        assert passed.pass_now()

        def leave() -> int:
            passed.__exit__()
            return os.fstat(other.fileno()).st_size

        assert in_forked_child(leave) == "0"
    del left


KILLED_IN_ITS_TURN = """
import os, signal, sys, warnings
from lease.database.writer_gate import WriterGate, WriterGateBusy
warnings.simplefilter("ignore", DeprecationWarning)
with WriterGate(sys.argv[1]) as entrance:
    assert entrance.pass_now()
    child = os.fork()
    if child == 0:
        print(os.getpid(), flush=True)
        signal.pause()
    signal.pause()
"""


@pytest.mark.usefixtures("processes")
def test_a_child_keeps_nobody_out_whose_parent_was_killed_in_its_turn(tmp_path: Path) -> None:
    path = str(tmp_path / "leased.db")
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_IN_ITS_TURN, path], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        try:
            parent.kill()
            parent.wait(LIMIT)
            assert pass_once(path)
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "leased.db"
    path.touch(0o600)
    return path


def writer_gate_of(database: Path) -> Path:
    return database.with_name(f"{database.name}-turnstile")


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("mode", "expected"), [(0o600, 0o600), (0o644, 0o600), (0o660, 0o660), (0o664, 0o660), (0o666, 0o666)]
)
def test_those_can_open_it_who_may_write_to_the_database(database: Path, mode: int, expected: int) -> None:
    """To open it is enough to lock it."""
    database.chmod(mode)
    umask = os.umask(0o077)
    try:
        pass_once(str(database))
    finally:
        os.umask(umask)
    assert mode_of(writer_gate_of(database)) == expected


def test_its_mode_follows_the_databases(database: Path) -> None:
    for mode, expected in ((0o666, 0o666), (0o644, 0o600), (0o660, 0o660)):
        database.chmod(mode)
        pass_once(str(database))
        assert mode_of(writer_gate_of(database)) == expected


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="becomes another user")
@pytest.mark.usefixtures("processes")
def test_a_user_who_may_only_read_the_database_cannot_hold_it_shut(readable: Path) -> None:
    readable.chmod(0o644)
    pass_once(str(readable))
    assert as_another_user(HOLD, writer_gate_of(readable)) == "PermissionError"
    said = in_forked_child(lambda: pass_as_another_user(readable))
    assert said.endswith("leased.db-turnstile, which every writer of the database opens")
    readable.chmod(0o666)
    pass_once(str(readable))
    assert as_another_user(HOLD, writer_gate_of(readable)) == "held"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="becomes another user")
@pytest.mark.usefixtures("processes")
def test_it_belongs_to_whom_the_database_belongs(readable: Path) -> None:
    """As root's command makes it before the service writes."""
    os.chown(readable, ANOTHER, ANOTHER)
    pass_once(str(readable))
    assert as_another_user(HOLD, writer_gate_of(readable)) == "held"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="becomes another user")
def test_one_that_was_put_there_by_a_user_who_may_not_write_is_refused(readable: Path) -> None:
    """In a folder where all can make files, such as /tmp."""
    writer_gate_of(readable).touch()
    os.chown(writer_gate_of(readable), ANOTHER, ANOTHER)
    for mode, group in ((0o644, ANOTHER), (0o664, 0)):
        readable.chmod(mode)
        os.chown(readable, 0, group)
        with pytest.raises(OSError, match=f"belongs to user {ANOTHER}, who may not write to the database; delete it"):
            pass_once(str(readable))
    for mode, group in ((0o664, ANOTHER), (0o666, 0)):
        readable.chmod(mode)
        os.chown(readable, 0, group)
        assert pass_once(str(readable))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="becomes another user")
@pytest.mark.usefixtures("processes")
def test_a_user_who_may_write_but_does_not_own_it_passes_though_its_mode_is_outdated(readable: Path) -> None:
    """Only its owner can let it follow the database's."""
    readable.chmod(0o666)
    pass_once(str(readable))
    readable.chmod(0o606)
    assert in_forked_child(lambda: pass_as_another_user(readable)) == "True"
    assert mode_of(writer_gate_of(readable)) == 0o666
    pass_once(str(readable))
    assert mode_of(writer_gate_of(readable)) == 0o606


@pytest.mark.parametrize("kind", ["symlink", "hard link", "folder", "pipe"])
def test_what_is_no_plain_file_of_its_own_is_refused_and_left_as_it_is(
    database: Path, tmp_path: Path, kind: str
) -> None:
    victim = tmp_path / "victim"
    victim.touch(0o640)
    place = writer_gate_of(database)
    if kind == "symlink":
        place.symlink_to(victim)
    elif kind == "hard link":
        place.hardlink_to(victim)
    elif kind == "folder":
        place.mkdir()
    else:
        os.mkfifo(place)
    open_before = open_files()
    with pytest.raises(
        OSError, match="is a link or not a regular file, but leased keeps its own file there; delete it"
    ):
        pass_once(str(database))
    assert mode_of(victim) == 0o640
    assert open_files() == open_before


def test_why_one_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"its folder .*/missing does not exist; create it first"):
        pass_once(str(tmp_path / "missing" / "leased.db"))
    with pytest.raises(OSError, match="File name too long"):
        pass_once(str(tmp_path / ("l" * 250)))


def test_all_names_of_a_database_lead_through_one(database: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "link.db").symlink_to(database)
    with WriterGate(str(other / "link.db")) as first, WriterGate(str(database)) as second:
        assert first.pass_now()
        assert not second.pass_now()


HOLD = """
import fcntl, os, sys
try:
    fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("held")
except OSError as error:
    print(type(error).__name__)
"""
ANOTHER = 54_321


@pytest.fixture
def readable() -> Iterator[Path]:
    """The file of a database in a folder that every user can reach."""
    folder = readable_temporary_folder("leased-turnstile-")
    folder.chmod(0o755)
    (folder / "leased.db").touch()
    yield folder / "leased.db"
    shutil.rmtree(folder)


def as_another_user(program: str, path: Path) -> str:
    done = subprocess.run(
        ["/usr/bin/env", "python3", "-c", program, str(path)],
        user=ANOTHER,
        group=ANOTHER,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return done.stdout.strip()


def pass_as_another_user(database: Path) -> bool:
    os.setgroups([])
    os.setgid(ANOTHER)
    os.setuid(ANOTHER)
    return pass_once(str(database))
