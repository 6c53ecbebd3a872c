"""A function in a child: FILE is loaded again there, and the job found by schedule and name."""

import asyncio
import gzip
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import pytest

from daemon.definitions.sources.load import load
from daemon.definitions.values.strings import MOST_BYTES
from daemon.jobs.brief import BRIEF_VARIABLE, FUNCTION_CHILD, LONGEST_VARIABLE, Brief, hand_over
from daemon.jobs.child_main import OtherDefinitions, find
from daemon.jobs.output import Output, Transcript
from daemon.jobs.processes.child import Child, ChildEnd
from daemon.jobs.processes.trust_page import TrustPage
from daemon.jobs.reports import Progress
from daemon.jobs.runners import child_outcome
from daemon.jobs.templates.templates import Template
from lease.clock import boottime
from tests.daemon.jobs.family import ROOT, linux
from tests.daemon.jobs.test_run import BRIEF
from tests.daemon.jobs.trust import a_page, end_trust
from tests.daemon.jobs.ways import WAYS, a_template, brief_of, loaded_template
from tests.support.manual import until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("processes"), pytest.mark.sampled(1)]

FILE = """
import atexit, gzip, os, sys, threading, time
from daemon import AsyncRun, Run, Schedules

schedules = Schedules("shop")
nightly = schedules.add("nightly", cron="0 2 * * *")

@nightly.job()
def good(run: Run) -> None:
    run.ensure(at_least="1s")
    run.progress(1, 2, run.schedule)
    run.log.info("token %d", run.token)
    print(len(run.params["large"]) if "large" in run.params else run.params, os.environ.get("LEASED_BRIEF"), os.environ.get("LEASED_REPORT_FD"))

@nightly.job()
def bad(run: Run) -> None:
    inner()

def inner() -> None:
    raise RuntimeError("no rows")

@nightly.job(isolation="process")
async def waits(run: AsyncRun) -> None:
    run.log.warning("in a loop: %s", type(run).__name__)

@nightly.job()
def leaves(run: Run) -> None:
    sys.exit(5)

@nightly.job()
def complains(run: Run) -> None:
    sys.exit("no rows")

class Circle:
    def __init__(self):
        self.own = self

    def __del__(self):
        print("collected")

@nightly.job()
def lingers(run: Run) -> None:
    global kept, packed
    kept, packed = open("kept", "w"), gzip.open("packed", "wt")
    kept.write("written to a file that is still open")
    packed.write("and to one that is packed")
    Circle()
    threading.Thread(target=lambda: time.sleep(0.1) or print("a thread has ended")).start()
    atexit.register(print, "at the exit")

@nightly.job()
def distrusted(run: Run) -> None:
    run.ensure(at_least="10h")

@nightly.job()
def looks(run: Run) -> None:
    print(sorted({"alembic", "anyio", "asyncio", "psycopg", "sqlalchemy", "typer"} & sys.modules.keys()))
    try:
        run.fence(None)
    except Exception as error:
        print(error)
    print("sqlalchemy" in sys.modules)

@nightly.job()
def titled(run: Run) -> None:
    for pid in (os.getpid(), os.getppid()):
        title, name = (open(f"/proc/{pid}/{file}").read().strip("\\0\\n") for file in ("cmdline", "comm"))
        print(f"{name}: {title}")

@nightly.job()
def tidy(run: Run) -> None:
    try:
        print("up")
        time.sleep(1000)
    finally:
        print("tidied")
"""


@dataclass
class Story:
    folder: Path
    template: Template | None = None
    progress: list[Progress] = field(default_factory=list)
    up: asyncio.Event = field(default_factory=asyncio.Event)
    transcript: Transcript = field(default_factory=Transcript)

    @property
    def file(self) -> Path:
        return self.folder / "schedules.py"

    @cached_property
    def brief(self) -> Brief:
        """What a replica tells that has loaded FILE."""
        return brief_of(load(self.file), "good")

    async def begin(self, brief: Brief, page: TrustPage) -> Child:
        env = {**os.environ, "PYTHONPATH": str(ROOT), **brief.environment(), BRIEF_VARIABLE: brief.to_json()}
        remove = hand_over(brief.params, env)
        child = await Child.spawn(
            FUNCTION_CHILD,
            cwd=str(self.folder),
            env=env,
            trust=page,
            remove=remove,
            template=self.template,
            output=Output(lambda _line: self.up.set(), self.progress.append, self.transcript),
        )
        await child.go()
        return child

    @property
    def printed(self) -> str:
        return self.transcript.tail

    async def run(self, job: str, schedule: str = "nightly") -> ChildEnd:
        page = a_page(boottime() + 3600)
        ended = await (await self.begin(replace(self.brief, job=job, schedule=schedule), page)).ended()
        page.close()
        return ended


@pytest.fixture
def story_anew(tmp_path: Path) -> Story:
    """That of a child that loads FILE again."""
    story = Story(tmp_path)
    story.file.write_text(FILE)
    assert story.brief.stamp
    return story


@pytest.fixture(params=WAYS)
def story(request: pytest.FixtureRequest, story_anew: Story) -> Iterator[Story]:
    if request.param == "anew":
        yield story_anew
        return
    with a_template(*loaded_template(story_anew.file)) as template:
        assert template.was_ready, template.unfit
        story_anew.template = template
        yield story_anew


async def test_a_function_gets_its_run(story: Story) -> None:
    ended = await story.run("good")
    assert (ended.status, ended.error) == (0, None), ended
    assert story.progress == [Progress(1, 2, "nightly")]
    assert "INFO token 41\n" in story.printed
    assert "{'region': 'ä', 'n': [1, 2]} None None\n" in story.printed


@linux
async def test_the_titles_of_a_child_and_its_keeper_say_which_run_they_are_of(story: Story) -> None:
    ended = await story.run("titled")
    assert (ended.status, ended.error) == (0, None), ended
    run, attempt = BRIEF.run_id, BRIEF.attempt
    assert story.printed.splitlines() == [
        f"run {run}: leased: run {run} of nightly, job titled, attempt {attempt}",
        f"keeper {run}: leased: keeper of run {run} of nightly, attempt {attempt}",
    ]


async def test_a_function_of_a_renamed_schedule_is_found_by_its_row(story_anew: Story) -> None:
    keyed = load(story_anew.file).keyed({"nightly": "night"})
    brief = replace(story_anew.brief, job="good", row="night", digest=keyed.run_digests["night"])
    assert find(brief).__name__ == "good"
    with pytest.raises(OtherDefinitions):
        find(replace(brief, row="other"))


@pytest.mark.sampled(1)
async def test_a_function_starts_without_a_database_and_loads_one_for_its_first_fence(story: Story) -> None:
    await story.run("looks")
    before, refused, after = story.printed.splitlines()
    assert before == ("[]" if story.template is None else "['asyncio']"), "one of FILE's functions is async"
    assert refused.startswith("fence takes a connection")
    assert after == "True"


async def test_an_error_is_reported_from_the_jobs_own_first_frame_on(story: Story) -> None:
    ended = await story.run("bad")
    assert ended.status == 1
    assert ended.error is not None
    first, *_, last = ended.error.splitlines()
    assert (first, last) == ("Traceback (most recent call last):", "RuntimeError: no rows")
    assert "schedules.py" in ended.error.splitlines()[1]
    assert "child.py" not in ended.error


async def test_an_async_function_runs_in_a_loop_of_its_own(story: Story) -> None:
    ended = await story.run("waits")
    assert ended.status == 0, ended
    assert "WARNING in a loop: AsyncRun" in story.printed


async def test_system_exit_is_respected(story: Story) -> None:
    """A sentence is printed and means 1."""
    for job, status in (("leaves", 5), ("complains", 1)):
        ended = await story.run(job)
        assert (ended.status, ended.error) == (status, None)
    assert story.printed == "no rows\n"


async def test_a_function_leaves_as_an_interpreter_does(story: Story) -> None:
    """It waits for threads, calls what is registered with `atexit`, and writes what is left in a buffer."""
    ended = await story.run("lingers")
    assert (ended.status, ended.error) == (0, None)
    assert story.printed == "a thread has ended\nat the exit\ncollected\n"
    assert (story.folder / "kept").read_text() == "written to a file that is still open"
    with gzip.open(story.folder / "packed", "rt") as packed:
        assert packed.read() == "and to one that is packed"


async def test_lost_trust_is_an_error_of_the_job(story: Story) -> None:
    ended = await story.run("distrusted")
    assert ended.status == 1
    assert "LeaseLost: lease 'run/shop/nightly' (token 41) can be trusted for" in (ended.error or "")


PAUSED = """

@nightly.job()
def called(run: Run) -> None:
    open("called", "w").close()

if os.path.exists("pause"):  # in the child, not in the replica
    os.kill(os.getppid(), signal.SIGSTOP)  # its keeper looks no earlier than this
    open("up", "w").close()
    open("late").close()  # a pipe: it waits for its other end
    threading.Timer(0.5, os.kill, (os.getppid(), signal.SIGCONT)).start()
"""


async def test_a_function_is_not_called_once_trust_has_ended(story_anew: Story) -> None:
    """Rule 2: as where the machine was suspended since the child began, and the child comes before its keeper."""
    story_anew.file.write_text(FILE.replace("import atexit", "import signal, atexit") + PAUSED)
    del story_anew.brief  # of the file as it was
    brief = replace(story_anew.brief, job="called")
    (story_anew.folder / "pause").touch()
    os.mkfifo(story_anew.folder / "late")
    page = a_page(boottime() + 3600)
    child = await story_anew.begin(brief, page)
    await until((story_anew.folder / "up").exists, "the child loads FILE")
    end_trust(page, 0.0)
    (story_anew.folder / "late").write_text("")
    ended = await child.ended()
    page.close()
    assert (ended.why, (story_anew.folder / "called").exists()) == ("trust", False)


def assert_nothing_was_run(story: Story, ended: ChildEnd) -> None:
    outcome = child_outcome(ended)
    assert (outcome.state, outcome.status, story.progress) == ("not run", 1, [])
    assert "send SIGHUP to `leased run`" in (outcome.error or "")
    assert "Traceback" not in (outcome.error or "") + story.printed


@pytest.mark.parametrize(("job", "schedule"), [("gone", "nightly"), ("good", "weekly")])
@pytest.mark.sampled(2)
async def test_a_function_that_is_not_there_any_more_is_not_run(story: Story, job: str, schedule: str) -> None:
    ended = await story.run(job, schedule)
    assert_nothing_was_run(story, ended)
    assert f'schedules.py: "{schedule}" has changed' in (ended.file_changed or "")


async def test_a_function_of_a_schedule_that_is_another_now_is_not_run(story_anew: Story) -> None:
    """Rule 22: what execution reads of it has changed, if only for another of its jobs."""
    story_anew.file.write_text(FILE.replace("def leaves(", "def left("))
    assert_nothing_was_run(story_anew, await story_anew.run("good"))


async def test_a_function_is_run_as_long_as_its_own_schedule_is_what_it_was(story_anew: Story) -> None:
    more = 'schedules.add("hourly", cron="0 * * * *").command("true", "true")'
    story_anew.file.write_text(FILE.replace("0 2 * * *", "0 3 * * *") + more)
    assert (await story_anew.run("good")).status == 0


@pytest.mark.parametrize("text", [None, "half a li"])
async def test_a_file_that_was_written_and_cannot_be_loaded_runs_nothing(story_anew: Story, text: str | None) -> None:
    story_anew.file.unlink()
    if text is not None:
        story_anew.file.write_text(text)
    assert_nothing_was_run(story_anew, await story_anew.run("good"))


async def test_a_file_that_cannot_be_loaded_although_it_is_as_it_was_fails_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(tmp_path)
    story.file.write_text('import os\nos.environ["NEEDED"]\n' + FILE)
    monkeypatch.setenv("NEEDED", "1")
    assert story.brief.stamp
    monkeypatch.delenv("NEEDED")
    outcome = child_outcome(await story.run("good"))
    assert (outcome.state, outcome.status) == ("failed", 1)
    assert "importing it failed with KeyError" in (outcome.error or "")


async def test_a_stopped_function_leaves_through_its_finally(story: Story) -> None:
    page = a_page(boottime() + 3600)
    child = await story.begin(replace(story.brief, job="tidy"), page)
    await story.up.wait()
    child.stop(10)
    ended = await child.ended()
    assert (ended.status, ended.why) == (128 + signal.SIGTERM, "stopped")
    assert story.printed == "up\ntidied\n"
    page.close()


@pytest.mark.parametrize("size", [LONGEST_VARIABLE - 30, LONGEST_VARIABLE, MOST_BYTES - 20])
@pytest.mark.sampled(3)
async def test_a_function_gets_parameters_of_up_to_a_million_bytes(story: Story, size: int) -> None:
    story.brief = replace(story.brief, params={"large": "x" * size})
    ended = await story.run("good")
    assert (ended.status, ended.error) == (0, None), ended
    assert f"{size} None None" in story.printed
