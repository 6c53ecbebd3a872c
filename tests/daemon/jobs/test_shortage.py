"""Shortages of the machine: each is named, and none of them is a failure of the job (rule 25)."""

import errno
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.jobs.output import Output
from daemon.jobs.processes import spawn
from daemon.jobs.processes.child import Child
from daemon.jobs.processes.spawn import LEFT_OVER, OF_CHILD, start_keeper
from daemon.jobs.processes.trust_page import TrustPage
from daemon.jobs.room import Shortage, shortage
from daemon.jobs.templates.forks import write_brief
from daemon.jobs.templates.templates import Template
from tests.daemon.jobs.family import linux, open_descriptors
from tests.daemon.jobs.ways import a_template, wait_until_ended
from tests.support.programs import ran

pytestmark = pytest.mark.anyio

SENTENCES = {
    errno.EMFILE: f"this process has run out of file descriptors.* `ls /proc/{os.getpid()}/fd . wc -l`.*`ulimit -n`",
    errno.ENFILE: "this machine has run out of file descriptors.* see /proc/sys/fs/file-nr",
    errno.EAGAIN: "no more processes or threads can be started.* see `ulimit -u`, and pids.max",
    errno.ENOMEM: "not enough memory for another process.* see `free -m`, and memory.max",
    errno.ENOSPC: "no space left for temporary files.* see `df -h",
}


def test_so_have_a_thread_and_memory_that_python_does_not_get() -> None:
    assert "processes or threads" in str(shortage(RuntimeError("can't start new thread")))
    assert "not enough memory" in str(shortage(MemoryError()))


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOENT, "no such file"), OSError("x"), RuntimeError("x"), ValueError()]
)
def test_no_other_error_is_a_shortage(error: Exception) -> None:
    assert shortage(error) is None


@pytest.mark.parametrize("number", SENTENCES)
async def test_a_keeper_that_cannot_be_started_for_want_of_something_is_a_shortage_and_leaks_nothing(
    number: int, trust: TrustPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(subprocess, "Popen", refuse)
    before = open_descriptors()
    with pytest.raises(Shortage, match=SENTENCES[number]) as told:
        start_keeper(["true"], None, {}, trust)
    assert "no attempt was used" in str(told.value)
    assert open_descriptors() == before


async def test_a_child_takes_as_many_descriptors_as_the_arithmetic_says(
    trust: TrustPage, template: Template | None
) -> None:
    before = open_descriptors()
    kept = start_keeper(["true"], None, dict(os.environ), trust, template=template)
    assert open_descriptors() == before + OF_CHILD
    kept.close()
    wait_until_ended(kept.process)


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("step", ["cwd", "command"])
@pytest.mark.parametrize("number", SENTENCES)
async def test_a_child_that_its_keeper_cannot_start_for_want_of_something_is_a_shortage(
    number: int, step: str, trust: TrustPage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The keeper is a stand-in, which answers as a keeper does whose `posix_spawn` fails with this number."""
    stand_in = tmp_path / "keeper_main.py"
    answer = json.dumps({"refused": {"step": step, "errno": number}}) + "\n"
    stand_in.write_text(
        f"import os, sys\nfd = int(sys.argv[1])\nos.read(fd, 4096)\nos.write(fd, {answer.encode()!r})\n"
    )
    monkeypatch.setattr(spawn, "KEEPER", stand_in)
    child = await Child.spawn(["true"], cwd=None, env=dict(os.environ), trust=trust, output=Output(print))
    with pytest.raises(Shortage, match=SENTENCES[number]):
        await child.go()
    assert (await child.ended()).why == "refused"


@pytest.mark.usefixtures("processes")
async def test_a_keeper_that_cannot_live_itself_has_begun_nothing(
    trust: TrustPage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in = tmp_path / "keeper_main.py"
    stand_in.write_text("raise SystemExit('libc.so.6: failed to map segment: Cannot allocate memory')")
    monkeypatch.setattr(spawn, "KEEPER", stand_in)
    child = await Child.spawn(["true"], cwd=None, env=dict(os.environ), trust=trust, output=Output(print))
    with pytest.raises(
        Shortage, match=r"keeper exited with status 1 before .*it said: libc\.so\.6: failed to map segment"
    ):
        await child.go()


@linux
@pytest.mark.usefixtures("processes")
def test_a_template_with_no_room_for_all_descriptors_of_a_start_says_so_and_goes_on(trust: TrustPage) -> None:
    with a_template() as template:
        taken = {int(one.name) for one in Path(f"/proc/{template.pid}/fd").iterdir()}
        _, hard = resource.prlimit(template.pid, resource.RLIMIT_NOFILE)
        room_for_four = [number for number in range(hard) if number not in taken][3] + 1
        usual = resource.prlimit(template.pid, resource.RLIMIT_NOFILE, (room_for_four, hard))
        with pytest.raises(Shortage, match="run out of file descriptors"):
            start_keeper(["true"], None, dict(os.environ), trust, template=template)
        resource.prlimit(template.pid, resource.RLIMIT_NOFILE, usual)
        kept = start_keeper(["true"], None, dict(os.environ), trust, template=template)
        kept.close()
        wait_until_ended(kept.process)


@linux
def test_what_a_keeper_is_told_takes_one_descriptor(tmp_path: Path) -> None:
    """With a second one, a start that found none would keep the first for good."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(tmp_path, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))
    try:
        descriptor = write_brief((3, 0), 64, "", {})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    os.close(descriptor)
    assert descriptor == free


FEW_DESCRIPTORS = """
import os, resource
from daemon.jobs.processes.spawn import start_keeper
from daemon.jobs.processes.trust_page import TrustPages
from daemon.jobs.room import Shortage
page, kept = TrustPages(1).take(1e12), []
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True:
        kept.append(start_keeper(["true"], None, dict(os.environ), page))
except Shortage as error:
    print(error)
free = []
try:
    while True:
        free.append(os.dup(0))
except OSError:
    print(len(kept), len(free))
"""


def said_by(program: str) -> list[str]:
    said = ran([sys.executable, "-c", program], Path("/"))
    assert "Traceback" not in said.stderr, said.stderr
    return said.stdout.splitlines()


@linux
@pytest.mark.usefixtures("processes")
def test_what_fits_is_begun_and_descriptors_are_left_to_the_replica_itself() -> None:
    sentence, counts = said_by(FEW_DESCRIPTORS)
    assert "this process has run out of file descriptors" in sentence
    begun, free = map(int, counts.split())
    assert LEFT_OVER <= free < LEFT_OVER + OF_CHILD
    assert begun == (64 - free) // OF_CHILD - 1  # three are those of every process, and two hold the trust pages


WITHOUT_PROCESSES = """
import os, resource, sys
os.setgroups([]), os.setgid({uid}), os.setuid({uid})
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
from daemon.jobs.processes.spawn import start_keeper
from daemon.jobs.processes.trust_page import TrustPages
from daemon.jobs.room import Shortage
from daemon.jobs.task_thread import TaskThread
try:
    start_keeper(["true"], None, {{}}, TrustPages(1).take(1e12))
except Shortage as error:
    print(error)
tasks = TaskThread()
for _ in range(2):
    try:
        tasks.start(print, None)
    except RuntimeError as error:
        print(error)
"""


@linux
@pytest.mark.usefixtures("processes")
@pytest.mark.skipif(os.geteuid() != 0, reason="the limit is another user's, so that it reaches nobody else")
def test_where_the_limit_of_processes_is_reached_neither_a_child_nor_the_thread_of_tasks_is_begun() -> None:
    """The real thing: RLIMIT_NPROC of a user who has no process yet."""
    shown = said_by(WITHOUT_PROCESSES.format(uid=54_321))
    assert "no more processes or threads can be started" in shown[0]
    assert shown[1:] == ["can't start new thread"] * 2
