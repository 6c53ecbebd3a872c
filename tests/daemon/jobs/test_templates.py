"""Templates: from what children are forked, and what becomes of them when a template or its replica ends (rule 20)."""

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import daemon.jobs.templates.templates
from daemon.definitions.application import Application
from daemon.definitions.sources.load import load
from daemon.jobs.output import Output, Transcript
from daemon.jobs.processes.process_tree import PARENT, processes, stat
from daemon.jobs.processes.spawn import start_keeper
from daemon.jobs.processes.trust_page import TrustPage
from daemon.jobs.reports import Outcome
from daemon.jobs.room import Shortage
from daemon.jobs.runners import ChildAttempt
from daemon.jobs.templates.templates import Launch, Template, Templates
from lease.clock import boottime
from tests.daemon.jobs.family import ROOT, linux, living, open_descriptors
from tests.daemon.jobs.trust import a_page
from tests.daemon.jobs.ways import a_template, brief_of, has_settled, wait_until_ended
from tests.support.starvation import Starvation
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("processes"), linux]

FILE = """
import os, random, sys, time
from daemon import Run, Schedules

schedules = Schedules("shop", env={"REGION": "us"})
REGION = os.environ.get("REGION")
FOLDER = os.getcwd()
nightly = schedules.add("nightly", cron="0 2 * * *")
with open(os.path.join(os.path.dirname(__file__), "loads"), "a") as loads:
    loads.write(f"{os.getpid()}\\n")
if "pytest" not in sys.modules:  # where only the application is made
    LEFT

@nightly.job()
def works(run: Run) -> None:
    print("worked", os.getpid(), os.environ["REGION"], REGION)

@nightly.job()
def waits(run: Run) -> None:
    print("up", os.getpid())
    while not os.path.exists("end"):
        time.sleep(0.01)

@nightly.job(env={"REGION": "eu"})
def abroad(run: Run) -> None:
    print("abroad", os.getpid(), os.environ["REGION"], REGION)

@nightly.job(cwd="away")
def away(run: Run) -> None:
    print("away", os.getpid(), os.getcwd(), FOLDER)

nightly.command("command", "echo worked $$")
nightly.command("sleeps", "echo up $$; exec sleep 1000")
"""


@dataclass
class Story:
    application: Application
    templates: Templates
    page: TrustPage
    said: list[str]

    @property
    def loads(self) -> list[str]:
        """The processes that have loaded FILE, besides this one."""
        return [line for line in (self.folder / "loads").read_text().split() if line != str(os.getpid())]

    @property
    def folder(self) -> Path:
        return self.application.source.parent

    async def begin(
        self, job: str, on_output: Callable[[Sequence[str]], None] = lambda _: None
    ) -> tuple[ChildAttempt, Transcript]:
        brief = brief_of(self.application, job)
        transcript = Transcript()
        output = Output(on_output, transcript=transcript)
        found = next(one for one in self.application.schedule("nightly").jobs if one.name == job)
        attempt = await ChildAttempt.prepare(found, brief, self.templates, trust=self.page, output=output)
        await attempt.go()
        return attempt, transcript

    async def run(self, job: str) -> tuple[Outcome, str]:
        attempt, transcript = await self.begin(job)
        return await attempt.wait(), transcript.tail

    async def up(self, job: str) -> tuple[ChildAttempt, int]:
        """A child at work, and its process id."""
        up = asyncio.Event()
        attempt, transcript = await self.begin(job, lambda _line: up.set())
        await up.wait()
        return attempt, int(transcript.tail.split()[1])

    def end(self) -> None:
        """Let jobs end that wait for it."""
        (self.folder / "end").touch()


def written(folder: Path, left: str = "pass") -> Application:
    (folder / "schedules.py").write_text(FILE.replace("LEFT", left))
    before = Path.cwd()
    os.chdir(folder)
    try:
        return load(folder / "schedules.py")
    finally:
        os.chdir(before)


@asynccontextmanager
async def told(application: Application) -> AsyncIterator[Story]:
    said: list[str] = []
    page, templates = a_page(boottime() + 3600), Templates(application, said.append)
    try:
        wait_until(lambda: has_settled(bare(templates)) and has_settled(loaded(templates)), "the templates are ready")
        yield Story(application, templates, page, said)
    finally:
        templates.close()
        page.close()


def bare(templates: Templates) -> Template:
    assert templates._bare is not None
    assert templates._bare.template is not None
    return templates._bare.template


def loaded(templates: Templates) -> Template:
    assert templates._loaded is not None
    assert templates._loaded.template is not None
    return templates._loaded.template


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    async with told(written(tmp_path)) as story:
        yield story


def parent(pid: int) -> int:
    fields = stat(pid)
    assert fields is not None
    return int(fields[PARENT])


def children(pid: int) -> list[int]:
    """All children of a process, zombies too."""
    return [child for child, fields in processes().items() if int(fields[PARENT]) == pid]


@pytest.mark.parametrize(("job", "source"), [("works", loaded), ("command", bare)])
async def test_a_child_comes_from_the_template_for_its_kind_which_loads_file_once(
    story: Story, job: str, source: Callable[[Templates], Template]
) -> None:
    for _ in range(3):
        outcome, printed = await story.run(job)
        assert (outcome.state, printed.split()[0]) == ("succeeded", "worked"), outcome
    assert story.loads == [str(loaded(story.templates).pid)]
    attempt, pid = await story.up({"works": "waits", "command": "sleeps"}[job])
    assert attempt.keeper is not None
    assert parent(pid) == attempt.keeper.pid
    assert parent(attempt.keeper.pid) == source(story.templates).pid
    attempt.kill()
    await attempt.wait()


async def test_a_template_that_is_killed_costs_no_child_anything_and_is_started_again(story: Story) -> None:
    templates = story.templates
    before = [bare(templates), loaded(templates)]
    at_work, _ = await story.up("waits")
    for one in before:
        os.kill(one.pid, signal.SIGKILL)
    wait_until(lambda: not living([one.pid for one in before]), "both are gone")
    for job in ("works", "command"):
        assert (await story.run(job))[0].state == "succeeded"
    story.end()
    assert (await at_work.wait()).state == "succeeded"
    assert {bare(templates), loaded(templates)}.isdisjoint(before)
    wait_until(lambda: has_settled(loaded(templates)), "the new template is ready")
    loads = story.loads
    assert (await story.run("works"))[0].state == "succeeded"
    assert str(loaded(templates).pid) in loads == story.loads


async def test_a_keeper_that_is_killed_after_its_template_leaves_nothing(story: Story) -> None:
    attempt, pid = await story.up("waits")
    assert attempt.keeper is not None
    os.kill(loaded(story.templates).pid, signal.SIGKILL)
    os.kill(attempt.keeper.pid, signal.SIGKILL)
    outcome = await attempt.wait()
    assert (outcome.state, living([pid])) == ("failed", [])
    assert "its keeper died" in (outcome.error or "")


async def test_a_template_that_does_not_answer_holds_up_nobody(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon.jobs.templates.templates, "PATIENCE", 0.1)
    before = loaded(story.templates)
    os.kill(before.pid, signal.SIGSTOP)
    assert (await story.run("works"))[0].state == "succeeded"
    assert before.has_ended


async def test_a_template_that_does_not_say_how_a_keeper_ended_holds_up_nobody(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, _ = await story.up("waits")
    monkeypatch.setattr(daemon.jobs.templates.templates, "PATIENCE", 0.1)
    os.kill(loaded(story.templates).pid, signal.SIGSTOP)
    story.end()
    assert (await attempt.wait()).state == "succeeded"


@pytest.mark.parametrize("handler", ["signal.SIG_IGN", "lambda *_: time.no_such_name"])
async def test_what_file_does_at_the_end_of_a_child_is_not_done_in_its_template(tmp_path: Path, handler: str) -> None:
    async with told(written(tmp_path, f"import signal; signal.signal(signal.SIGCHLD, {handler})")) as story:
        template = loaded(story.templates)
        attempt, _ = await story.begin("waits")
        assert attempt.keeper is not None
        os.kill(attempt.keeper.pid, signal.SIGKILL)
        assert (await attempt.wait()).state == "failed"
        assert attempt._kept.process.returncode == -signal.SIGKILL
        assert (await story.run("works"))[0].state == "succeeded"
        assert loaded(story.templates) is template


LEFT = {
    "thread": (
        "import threading; threading.Thread(target=time.sleep, args=(1000,), daemon=True, name='mine').start()",
        "mine",
    ),
    "socket": ("import socket; connection = socket.socket()", "a socket"),
    "sqlite": (
        "import sqlite3; store = sqlite3.connect('store'); store.execute('CREATE TABLE IF NOT EXISTS a (b)'); store.commit()",
        "store",
    ),
    "client": ("from lease.sync import LeaseClient; LeaseClient('sqlite:///shop.db').__enter__()", "lease-"),
    "log": ("import logging; logging.basicConfig(filename='shop.log')", "shop.log"),
    "file": ("rows = open(__file__)", "schedules.py"),
    "process": ("import subprocess; subprocess.run(['setsid', '-f', 'sleep', '1001'])", "a process"),
    "lock": ("import multiprocessing; lock = multiprocessing.get_context('fork').Lock()", "memory"),
    "pipe": ("pipe = os.pipe()", "pipe"),
    "epoll": ("import select; events = select.epoll()", "anon_inode"),
    "generator": ("generator = random.Random()", "a random generator"),
    "seed": ("random.seed(42)", "a seed"),
}
"""What FILE may leave, and a word of why that cannot be forked."""


@pytest.mark.parametrize(("left", "why"), LEFT.values(), ids=LEFT)
@pytest.mark.sampled(3)
async def test_a_file_that_leaves_what_no_fork_can_have_is_loaded_by_each_child(
    tmp_path: Path, left: str, why: str
) -> None:
    async with told(written(tmp_path, left)) as story:
        template = loaded(story.templates)
        assert (template.was_ready, why in (template.unfit or "")) == (False, True), template.unfit
        for _ in range(2):
            outcome, printed = await story.run("works")
            assert outcome.state == "succeeded"
            assert story.loads[-1] == printed.split()[1]
        assert len(set(story.loads)) == 3
        assert loaded(story.templates) is template
        (said,) = story.said
        assert said.startswith("each child process of a function loads schedules.py again")
        assert why in said


async def test_a_function_runs_as_it_was_loaded_whatever_file_says_by_now(story: Story) -> None:
    """Rule 22."""
    story.application.source.write_text("half a li")
    assert (await story.run("works"))[0].state == "succeeded"


async def test_a_file_that_has_changed_before_its_template_loaded_it_is_not_forked(tmp_path: Path) -> None:
    application = written(tmp_path)
    application.source.write_text(FILE.replace("LEFT", "pass").replace("def works", "def other"))
    async with told(application) as story:
        assert "it has changed" in (loaded(story.templates).unfit or "")
        assert (await story.run("works"))[0].state == "not run"


async def test_a_function_has_its_variables_and_its_folder_as_file_is_loaded_and_with_others_than_most_starts_anew(
    story: Story,
) -> None:
    """FILE may read what is there."""
    folder = story.folder / "away"
    folder.mkdir()
    outcomes = [await story.run(job) for job in ("works", "abroad", "away")]
    assert [outcome.state for outcome, _ in outcomes] == ["succeeded"] * 3
    (_, *here), (pid, *abroad), (other, *away) = (printed.split()[1:] for _, printed in outcomes)
    assert (here, abroad, away) == (["us", "us"], ["eu", "eu"], [str(folder)] * 2)
    assert story.loads == [str(loaded(story.templates).pid), pid, other]


@pytest.mark.extended
async def test_fifty_children_at_once_leave_nothing_behind(story: Story) -> None:
    templates = [bare(story.templates).pid, loaded(story.templates).pid]
    begun = await asyncio.gather(*(story.up(job) for job in ["waits", "sleeps"] * 25))
    assert [len(children(pid)) for pid in templates] == [25, 25]
    story.end()
    for attempt, _ in begun[1::2]:
        attempt.kill()
    outcomes = [(await attempt.wait()).state for attempt, _ in begun]
    assert outcomes == ["succeeded", "stopped"] * 25
    assert [children(pid) for pid in templates] == [[], []]


REPLICA = """
import asyncio, sys, time
from pathlib import Path
from tests.daemon.jobs.test_templates import bare, load, loaded, told

async def main():
    async with told(load(Path("schedules.py"))) as story:
        begun = [await story.up(job) for job in ("waits", "sleeps")]
        pids = [pid for attempt, child in begun for pid in (attempt.keeper.pid, child)]
        print(*pids, bare(story.templates).pid, loaded(story.templates).pid, flush=True)
        time.sleep(1000)

asyncio.run(main())
"""


LOADING = """
import os, sys, time
from functools import partial
from pathlib import Path
from daemon.jobs.templates.templates import Template, launch_loaded

template = Template(partial(launch_loaded, "schedules.py", "", variables={}, environment=os.environ))
while not Path("loads").exists():
    time.sleep(0.01)
print(template.pid, flush=True)
time.sleep(1000)
"""


def test_a_template_that_still_loads_file_is_gone_with_its_replica_too(tmp_path: Path) -> None:
    (tmp_path / "schedules.py").write_text(FILE.replace("LEFT", "time.sleep(1000)"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    replica = subprocess.Popen(
        [sys.executable, "-c", LOADING], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert replica.stdout is not None
    template = int(replica.stdout.readline())
    replica.kill()
    replica.communicate()
    wait_until(lambda: not living([template]), "the template is gone")


def test_with_a_replica_that_is_killed_its_templates_and_their_children_are_gone_within_a_second(
    tmp_path: Path, starvation: Starvation
) -> None:
    written(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    replica = subprocess.Popen(
        [sys.executable, "-c", REPLICA], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert replica.stdout is not None
    everybody = [int(word) for word in replica.stdout.readline().split()]
    assert len(living(everybody)) == 6
    killed = boottime()
    replica.kill()
    wait_until(lambda: not living(everybody), "templates, keepers and children are gone")
    starvation.assert_within(1.0, killed, boottime(), "templates, keepers and children are gone")
    replica.communicate()


async def test_a_forked_child_shows_the_mark_of_its_keeper_as_one_that_was_started_does(story: Story) -> None:
    """By that a cleaner finds it when the keeper is gone (rule 18)."""
    attempt, pid = await story.up("waits")
    assert attempt.keeper is not None
    mark = f"LEASED_KEEPER={attempt.keeper.pid}.{attempt.keeper.start_time}".encode()
    assert [mark in shown(one) for one in (pid, attempt.keeper.pid)] == [True, False]
    story.end()
    await attempt.wait()


def shown(pid: int) -> list[bytes]:
    """The environment that the kernel shows of a process."""
    return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


STAND_IN = """
import socket, sys
requests = socket.socket(fileno=int(sys.argv[1]))
requests.send(b"ready")
requests.recv(100)
ANSWER
"""


def stand_in(answer: str) -> Launch:
    program = STAND_IN.replace("ANSWER", answer)
    return lambda requests, _: ([sys.executable, "-c", program, str(requests)], os.environ)


async def test_a_template_that_cannot_fork_for_want_of_something_is_a_shortage_and_goes_on(story: Story) -> None:
    with a_template(stand_in(f"requests.send(b'failed {errno.EAGAIN}'); requests.recv(100)")) as template:
        before = open_descriptors()
        with pytest.raises(Shortage, match="no more processes or threads can be started"):
            start_keeper(["true"], None, {}, story.page, template=template)
        assert open_descriptors() == before
        assert not template.has_ended


async def test_where_a_template_ends_as_it_is_asked_the_keeper_starts_anew(story: Story) -> None:
    with a_template(stand_in("raise SystemExit")) as template:
        kept = start_keeper(["true"], None, {}, story.page, template=template)
        assert isinstance(kept.process, subprocess.Popen)
        kept.close()
        wait_until_ended(kept.process)


async def test_a_keeper_that_was_given_up_leaves_the_parameters_to_the_one_in_its_place(story: Story) -> None:
    file = story.folder / "params"
    file.touch()
    ours, control = socket.socketpair()
    printed = os.open(os.devnull, os.O_WRONLY)
    keeper = bare(story.templates).start(
        {}, story.page, control=control.fileno(), printed=printed, report=printed, remove=str(file)
    )
    for one in (ours, control):
        one.close()
    os.close(printed)
    wait_until_ended(keeper)
    assert file.exists()
