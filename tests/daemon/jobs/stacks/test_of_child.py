"""A function's process shows where it stands, whatever it does, and is not harmed by the question."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemon.jobs.reports import SIGNAL
from daemon.jobs.stacks import SeenWork, seen_of_child
from tests.daemon.jobs.family import linux
from tests.support.manual import until

pytestmark = [linux, pytest.mark.anyio, pytest.mark.usefixtures("processes")]

ROOT = Path(__file__).parents[4]
BEGIN = "import os, sys, signal, time; from daemon.jobs.reports import answer_signal; answer_signal(int(sys.argv[1]))\n"
END = "\nsys.stdin.read(); print('well')"
SLEEPS = "time.sleep(0.3)"
"""Asked in it, it must sleep to its end."""
IN_C = "import re\nprint('begun', flush=True)\nre.match('(a+)+$', 'a' * 40 + 'b')"
busy_is_asked = pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="Python 3.12 is not asked while it is busy")


class Job:
    """A process that answers the signal, as a function's child does."""

    def __init__(self, code: str, *, begin: str = BEGIN) -> None:
        self.reported, theirs = os.pipe()
        self.others: list[bytes] | None = None
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", begin + code, str(theirs)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            pass_fds=[theirs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        os.close(theirs)
        self._rest = b""

    def read(self) -> None:
        *lines, self._rest = (self._rest + os.read(self.reported, 65536)).split(b"\n")
        if self.others is not None:
            self.others += lines

    async def begun(self) -> None:
        """Wait until it has printed a line."""
        assert self.process.stdout is not None
        assert await asyncio.to_thread(self.process.stdout.readline) == "begun\n"

    async def seen(self) -> SeenWork:
        pid = self.process.pid
        return await seen_of_child(pid, os.getpid(), self, secrets=["hunter2"], is_function=True)

    async def rest(self) -> tuple[int, str]:
        """Let it end, and return how it did."""
        printed, _ = await asyncio.to_thread(self.process.communicate, "")
        return self.process.returncode, printed


@asynccontextmanager
async def a_job(code: str, *, begin: str = BEGIN, reads: bool = True) -> AsyncIterator[Job]:
    job, loop = Job(code, begin=begin), asyncio.get_running_loop()
    if reads:
        loop.add_reader(job.reported, job.read)
    try:
        await job.begun()
        yield job
    finally:
        loop.remove_reader(job.reported)
        os.close(job.reported)
        job.process.kill()
        job.process.communicate()


def where(seen: SeenWork) -> list[tuple[str, str, int]]:
    """What stands where: the innermost function of each stack."""
    return [(one.of, one.frames[0].rpartition(" in ")[2], one.count) for one in seen.stacks]


BEGUN = "def inner():\n    print('begun', flush=True)\n    {}\ninner()"


@pytest.mark.parametrize(
    "waits",
    [
        SLEEPS,
        "sys.stdin.read(1)",
        "import threading; threading.Event().wait(0.3)",
        "import subprocess; subprocess.run(['sleep', '0.3'], check=True)",
        "import socket; a, b = socket.socketpair(); a.settimeout(0.3)\n    try: a.recv(1)\n    except TimeoutError: pass",
        "began = time.monotonic(); time.sleep(0.3); assert time.monotonic() - began >= 0.3",
    ],
)
async def test_one_that_waits_shows_where_and_goes_on_waiting(waits: str) -> None:
    """System calls are begun again after the signal (PEP 475)."""
    async with a_job(BEGUN.format(waits) + END) as job:
        seen = await job.seen()
        (stack,) = seen.stacks
        assert any(frame.endswith(" in inner") for frame in stack.frames)
        assert [one.pid for one in seen.processes if one.pid == job.process.pid]
        assert await job.rest() == (0, "well\n")


@busy_is_asked
async def test_one_in_a_call_into_c_shows_where() -> None:
    async with a_job(IN_C) as job:
        (stack,) = (await job.seen()).stacks
        assert stack.frames[0].endswith(" in match")
        assert job.process.poll() is None


THREADS = """
import threading
def works(): gate.wait()
gate = threading.Event()
threads = [threading.Thread(target=works) for _ in range(3)]
for one in threads: one.start()
print("begun", flush=True)
def main(): sys.stdin.read()
main()
gate.set()
print("well")
"""


async def test_each_of_its_threads_writes_its_own_stack() -> None:
    """None reads that of another: while that one runs, it crashes the process."""
    async with a_job(THREADS) as job:
        assert sorted(where(await job.seen())) == [("another thread", "wait", 3), ("main thread", "main", 1)]
        assert await job.rest() == (0, "well\n")


@pytest.mark.parametrize(
    ("code", "remark"),
    [
        (f"signal.signal({int(SIGNAL)}, signal.SIG_DFL)", "its code handles SIGURG itself"),
        ("os.closerange(3, 100)", "its code handles SIGURG itself"),
        ("os.closerange(3, 100); opened = [os.open('/dev/null', os.O_WRONLY) for _ in range(50)]", "SIGURG itself"),
        (f"signal.signal({int(SIGNAL)}, lambda *_: None)", "wrote no stack: the job may handle SIGURG itself"),
    ],
)
async def test_one_that_uses_the_signal_or_has_closed_the_pipe_says_so(code: str, remark: str) -> None:
    async with a_job(f"{code}\nprint('begun', flush=True)" + END) as job:
        seen = await job.seen()
        assert (list(seen.stacks), [remark in one for one in seen.remarks]) == ([], [True])
        assert await job.rest() == (0, "well\n")


HANDLES = "import signal, sys\ntold = []\nsignal.signal(signal.SIGURG, lambda *_: told.append(1))\n"


async def test_one_whose_file_handles_the_signal_never_gets_it() -> None:
    async with a_job("print('begun', flush=True); sys.stdin.read(); print(told)", begin=HANDLES + BEGIN) as job:
        assert "its code handles SIGURG itself" in (await job.seen()).remarks[0]
        assert await job.rest() == (0, "[]\n")


OWN = """
import faulthandler, tempfile
faulthandler.enable()
own = tempfile.TemporaryFile()
faulthandler.register(signal.SIGUSR1, file=own, all_threads=True)
print("begun", flush=True)
sys.stdin.read()
os.kill(os.getpid(), signal.SIGUSR1)
own.seek(0)
print("most recent call first" in own.read().decode(), faulthandler.is_enabled())
"""

FULL = """
import resource
kept = []
resource.setrlimit(resource.RLIMIT_AS, (150 << 20, 150 << 20))
size = 1 << 20
while size:
    try:
        while True: kept.append(bytes(size))
    except MemoryError:
        size //= 2
os.write(1, b"begun\\n")
os.read(0, 1)
kept.clear()
print("well")
"""


@pytest.mark.parametrize(("code", "printed"), [(OWN, "True True\n"), (FULL, "well\n")], ids=["own", "full"])
async def test_one_that_uses_faulthandler_or_has_no_memory_left_shows_where_it_stands_and_is_not_harmed(
    code: str, printed: str
) -> None:
    async with a_job(code) as job:
        assert len((await job.seen()).stacks) == 1
        assert await job.rest() == (0, printed)


async def test_one_that_is_stopped_shows_its_processes_and_gets_no_signal() -> None:
    """It would come when the process goes on, and nobody would read what it writes."""
    async with a_job("print('begun', flush=True)" + END) as job:
        os.kill(job.process.pid, signal.SIGSTOP)
        await until(lambda: _state(job.process.pid) == "T", "it is stopped")
        seen = await job.seen()
        assert [one.state for one in seen.processes if one.pid == job.process.pid] == ["stopped"]
        assert seen.remarks == ("the job's process is stopped, so it can't be asked for its stack",)
        assert _pending(job.process.pid) == 0
        os.kill(job.process.pid, signal.SIGCONT)
        assert await job.rest() == (0, "well\n")


async def test_one_that_has_ended_says_so() -> None:
    async with a_job("print('begun', flush=True)" + END) as job:
        assert await job.rest() == (0, "well\n")
        assert (await job.seen()).remarks == ("the job's own process has ended",)


async def test_one_that_has_become_another_program_is_not_asked_and_the_signal_would_not_harm_it() -> None:
    async with a_job("print('begun', flush=True); os.execvp('cat', ['cat'])") as job:
        await until(lambda: Path(f"/proc/{job.process.pid}/comm").read_text() == "cat\n", "it is another program")
        assert (await job.seen()).stacks == ()
        os.kill(job.process.pid, SIGNAL)
        assert await job.rest() == (0, "")


FORKS = """
forked = os.fork()
if not forked:
    sys.stdin.read(); os._exit(0)
print("begun", flush=True)
os.kill(forked, signal.SIGURG)
sys.stdin.read()
print(os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]))
"""


async def test_one_that_has_forked_shows_both_processes_and_neither_is_harmed() -> None:
    async with a_job(FORKS) as job:
        seen = await job.seen()
        assert len([one for one in seen.processes if job.process.pid in {one.pid, one.parent}]) == 2
        assert await job.rest() == (0, "0\n")


MANY = "print('begun', flush=True)\nfor _ in range(5000): os.kill(os.getpid(), signal.SIGURG)" + END


async def test_one_whose_replica_reads_nothing_is_not_held_up() -> None:
    """A pipe takes 64 KiB; a write that waits in the handler would keep the job from going on."""
    async with a_job(MANY, reads=False) as job:
        assert await job.rest() == (0, "well\n")


HOSTILE = """
name = "\\x1b[31m\\u202e" + "/x" * 1000 + "\\n.py"
exec(compile("def \\u0430():\\n    print('begun', flush=True)\\n    sys.stdin.read()\\n\\u0430()", name, "exec"))
print("well")
"""


async def test_what_its_code_is_called_cannot_steer_a_terminal() -> None:
    async with a_job(HOSTILE) as job:
        shown = [frame for one in (await job.seen()).stacks for frame in one.frames]
        assert shown
        assert all(frame.isprintable() and len(frame) <= 300 for frame in shown)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _pending(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1], 16) >> (SIGNAL - 1) & 1 for line in lines if line.startswith(("SigPnd", "ShdPnd")))


async def test_secrets_do_not_show_in_command_lines() -> None:
    shell = "['sh', '-c', 'echo; read x', 'sync', 'hunter2']"
    started = f"from subprocess import *\nother = Popen({shell}, stdin=PIPE, stdout=PIPE)\nother.stdout.readline()"
    code = f"{started}\nprint('begun', flush=True)"
    async with a_job(code + "\nsys.stdin.read(); other.kill()") as job:
        command = next(one.command for one in (await job.seen()).processes if one.parent == job.process.pid)
        assert (command.startswith("sh -c echo; read x"), "hunter2" in command) == (True, False)
