"""A function that is forked from what has loaded FILE finds all as it does where its child loads FILE itself."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from daemon.definitions.schedule import Schedule
from daemon.definitions.sources.load import load
from daemon.jobs.brief import BRIEF_VARIABLE, FUNCTION_CHILD, hand_over
from daemon.jobs.child_main import digest_of
from daemon.jobs.output import Output
from daemon.jobs.processes import spawn
from daemon.jobs.processes.child import Child
from daemon.jobs.processes.trust_page import TrustPage
from daemon.jobs.templates.templates import Template
from tests.daemon.jobs.family import linux
from tests.daemon.jobs.ways import a_template, brief_of, loaded_template
from tests.support.manual import until
from tests.support.waiting import LIMIT

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("processes"), linux]

FILE = """
import atexit, ctypes, functools, gc, json, locale, logging, operator, os, random, resource, signal, sys, threading, time
import types, warnings
from daemon import Run, Schedules

schedules = Schedules("shop")
nightly = schedules.add("nightly", cron="0 2 * * *")

def at_file(*_): pass

if "pytest" not in sys.modules:
    print("loading", end="")
    atexit.register(print, "at exit")
    os.environ["SET"] = "by FILE"
    os.environ.pop("TAKEN", None)
    os.umask(0o027)
    signal.signal(signal.SIGUSR1, at_file)
    signal.signal(signal.SIGCHLD, at_file)
    logging.getLogger().setLevel("DEBUG")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 10, hard))
    sys.modules["numpy.random"] = types.SimpleNamespace(seed=lambda: os.environ.update(SEEDED=""))

def name(handler):
    return getattr(handler, "__qualname__", str(handler))

def links():
    for number in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink(f"/proc/self/fd/{number}").partition(":[")[0]
        except OSError:
            pass

@nightly.job()
def looks(run: Run) -> None:
    death = ctypes.c_int()
    ctypes.CDLL(None).prctl(2, ctypes.byref(death))
    threading.Thread(target=lambda: time.sleep(0.2) or print("thread")).start()
    limits = [each for each in dir(resource) if each.startswith("RLIMIT")]
    logger = logging.getLogger("leased.job")
    print(json.dumps({
        "environment": {k: v for k, v in os.environ.items() if k not in ("LEASED_KEEPER", "SEEDED")},
        "folder": os.getcwd(), "umask": os.umask(0), "argv": sys.argv, "path": sys.path, "flags": str(sys.flags),
        "main": [sys.modules["__main__"].__spec__.name, sys.modules["__main__"].__file__],
        "handlers": {n.name: name(signal.getsignal(n)) for n in signal.Signals}, "wakes": signal.set_wakeup_fd(-1),
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "death": death.value,
        "open": sorted(links()), "parent": os.getsid(0) == os.getppid(), "group": os.getpgrp() == os.getpid(),
        "limits": {each: resource.getrlimit(getattr(resource, each)) for each in limits}, "nice": os.nice(0),
        "processors": sorted(os.sched_getaffinity(0)), "main thread": threading.main_thread().name,
        "streams": [[s.encoding, s.errors, s.line_buffering, s.fileno()] for s in (sys.stdin, sys.stdout, sys.stderr)],
        "log": [logging.getLogger().level, len(logging.getLogger().handlers), logger.level, len(logger.handlers)],
        "collects": [gc.isenabled(), gc.get_threshold()], "locale": locale.getlocale(), "filters": len(warnings.filters),
        "recursion": sys.getrecursionlimit(), "params": dict(run.params), "token": run.token,
    }))
    print(random.random(), "SEEDED" in os.environ)

@nightly.job()
def sleeps(run: Run) -> None:
    time.sleep(1000)

class Gone:
    def __del__(self):
        open("blocked", "w").close()
        time.sleep(1000)

@nightly.job()
def collects(run: Run) -> None:
    Gone()
    time.sleep(1000)

@nightly.job()
def late(run: Run) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCONT])
    open("blocked", "w").close()
    signals = (ctypes.c_ulong * 16)(1 << signal.SIGTERM - 1)
    let_in = functools.partial(ctypes.CDLL(None).sigprocmask, signal.SIG_UNBLOCK, signals, None)
    signal.sigwait([signal.SIGCONT])  # which a stop sends after SIGTERM
    list(map(operator.call, (let_in, functools.partial(os.read, os.pipe()[0], 1))))  # no bytecode of Python between the two
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TAKEN", "by FILE")
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    monkeypatch.setattr(spawn, "_limit_of_children", 500)
    file = tmp_path / "schedules.py"
    file.write_text(FILE)
    return file


@pytest.fixture
def template(file: Path) -> Iterator[Template]:
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN), signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with a_template(*loaded_template(file)) as template:
            assert template.was_ready, template.unfit
            yield template
    finally:
        signal.signal(signal.SIGHUP, ignored[0])
        signal.signal(signal.SIGINT, ignored[1])


async def begun(file: Path, job: str, trust: TrustPage, template: Template | None) -> Child:
    brief = brief_of(load(file), job)
    env = {**os.environ, "LATER": "than the template", **brief.environment(), BRIEF_VARIABLE: brief.to_json()}
    assert hand_over(brief.params, env) is None
    folder = file.parent / "folder"
    folder.mkdir(exist_ok=True)
    child = await Child.spawn(
        FUNCTION_CHILD, cwd=str(folder), env=env, trust=trust, template=template, output=Output(print)
    )
    await child.go()
    return child


async def seen(file: Path, trust: TrustPage, template: Template | None) -> tuple[dict[str, Any], list[str]]:
    """What the function finds around it, and what else it has printed."""
    child = await begun(file, "looks", trust, template)
    ended = await child.ended()
    assert (ended.status, ended.error) == (0, None), child._pipes.output.tail
    text = child._pipes.output.tail
    assert text.startswith("loading") is (template is None), "what FILE prints is that of whoever loads it"
    found, *rest = text.removeprefix("loading").splitlines()
    return json.loads(found), rest


async def test_all_that_a_function_finds_around_it_is_the_same(
    file: Path, template: Template, trust: TrustPage
) -> None:
    anew, rest_anew = await seen(file, trust, None)
    forked, rest_forked = await seen(file, trust, template)
    assert forked == anew
    assert (anew["environment"]["SET"], "TAKEN" in anew["environment"]) == ("by FILE", False)
    assert anew["environment"]["LATER"] == "than the template"
    assert anew["limits"]["RLIMIT_NOFILE"][0] == 490, "FILE lowers that of children"
    assert (anew["handlers"]["SIGUSR1"], anew["handlers"]["SIGTSTP"]) == ("at_file", str(signal.SIG_DFL.value))
    assert anew["handlers"]["SIGHUP"] == anew["handlers"]["SIGINT"] == str(signal.SIG_IGN.value), "as inherited"
    assert rest_forked[1:] == rest_anew[1:] == ["thread", "at exit"]


async def test_no_two_forks_draw_the_same_random_numbers(file: Path, template: Template, trust: TrustPage) -> None:
    drawn = [(await seen(file, trust, template))[1][0] for _ in range(2)]
    assert len(set(drawn)) == 2
    assert all(line.endswith(" True") for line in drawn), "numpy's too"


class Stopped:
    """As if SIGTERM came while a serializer of ours goes through it."""

    def __iter__(self) -> Iterator[Any]:
        sys.exit(128 + signal.SIGTERM)


def test_a_stop_while_pydantic_writes_what_is_compared_is_no_error_of_it() -> None:
    nightly = Schedule.model_validate({"name": "nightly", "every": 60.0, "jobs": ()})
    with pytest.raises(SystemExit) as exiting:
        digest_of(nightly.model_copy(update={"exclude": Stopped()}))
    assert exiting.value.code == 128 + signal.SIGTERM


async def test_a_stop_right_after_the_start_is_not_lost(file: Path, template: Template, trust: TrustPage) -> None:
    for _ in range(20):
        await stopped(await begun(file, "sleeps", trust, template))


@pytest.mark.parametrize("job", ["late", "collects"])
async def test_a_stop_in_a_moment_in_which_python_raises_nothing_is_not_lost(
    file: Path, template: Template, trust: TrustPage, job: str
) -> None:
    """It has heard of the signal, but the function waits in a call before it is raised; or it is in `__del__`."""
    child = await begun(file, job, trust, template)
    await until((file.parent / "folder" / "blocked").exists, "it is there")
    await stopped(child)


async def stopped(child: Child) -> None:
    with anyio.fail_after(LIMIT / 2):
        child.stop(kill_after=LIMIT)
        ended = await child.ended()
    assert (ended.why, ended.status) == ("stopped", 128 + signal.SIGTERM)
