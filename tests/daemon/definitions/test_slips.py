"""Slips in a Python file: each is taken as it is meant, or refused with one sentence that says what to write."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import daemon
from daemon import AsyncRun, Run, Schedules
from daemon.definitions.application import Application
from daemon.definitions.schedule import Job, Schedule
from daemon.definitions.sources.load import load
from daemon.definitions.values.work import _MODULE_OF_RUNS, _RUNS
from daemon.errors import DefinitionError

if TYPE_CHECKING:
    from daemon import AsyncRun as OnlyForTypes

HEAD = "from daemon import AsyncRun, Run, Schedules\nschedules = Schedules('shop')\n"
NIGHTLY = "nightly = schedules.add('nightly', every=60)\n"


def loaded(folder: Path, text: str) -> Application:
    path = folder / "shop.py"
    path.write_text(HEAD + text)
    return load(str(path))


def job(run: Any) -> None:
    """A job."""


class Shop:
    """What a job may be a method of."""

    def bound(self, run: Run) -> None:
        """A job, of an instance."""

    def lone(self) -> None:
        """No job: its only parameter is the instance."""

    @staticmethod
    async def static(run: AsyncRun) -> None:
        """A job."""

    @classmethod
    def of_class(cls, run: Run) -> None:
        """A job."""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "@schedules.cron\ndef tick(run): ...",
            'shop.py, line 3: the decorator .cron does not say when tick is due; write it with parentheses: .cron("*/5',
        ),
        ("@schedules.every\nasync def tick(run): ...", 'write it with parentheses: .every("10m")'),
        ("@schedules.at\ndef tick(run): ...", 'write it with parentheses: .at("2026-07-01T02:00:00Z")'),
        (
            "@schedules.every(60)\nasync def tick(run: Run): ...",
            'schedule "tick", job "tick": an async function gets an AsyncRun, not a Run; write (run: AsyncRun)',
        ),
        (
            "@schedules.every(60)\ndef tick(r: AsyncRun): ...",
            "a function that is not async gets a Run, not an AsyncRun; write (r: Run), or make it `async def`",
        ),
        ("@schedules.every(60)\nasync def tick(run: 'Run'): ...", "gets an AsyncRun, not a Run"),
        ("import daemon\n@schedules.every(60)\ndef tick(run: 'daemon.AsyncRun'): ...", "gets a Run, not an AsyncRun"),
        (
            "class Shop:\n    @schedules.every(60)\n    def tick(self, run): ...",
            "it is a method, which would get the run as its `self`; define it outside of its class, or as a static",
        ),
        (
            "class Shop:\n    @schedules.every(60)\n    def tick(self): ...",
            "it is a method, which would get the run as",
        ),
        (
            "class Shop:\n    @schedules.every(60)\n    @classmethod\n    def tick(cls, run): ...",
            "it is a class method; define it outside of its class, or as a static method",
        ),
        ("@schedules.every(60)\ndef tick(run, more): ...", "the function takes (run, more), but a job is called with"),
        ("@schedules.every(60)\ndef tick(*, run): ...", "the function takes (*, run), but a job is called with"),
        (
            "for _ in range(2):\n    @schedules.every(60)\n    def tick(run): ...",
            'line 4: there are two schedules named "tick"; rename one of them',
        ),
    ],
)
def test_a_slip_is_told_in_one_sentence_with_its_remedy(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        loaded(tmp_path, text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_job_without_parentheses_is_taken(tmp_path: Path) -> None:
    made = loaded(tmp_path, f"{NIGHTLY}@nightly.job\ndef one(run): ...\n@nightly.job()\nasync def two(run): ...")
    assert [job.name for job in made.schedule("nightly").jobs] == ["one", "two"]


async def async_run(run: AsyncRun) -> None: ...
async def either(run: Run | AsyncRun) -> None: ...
async def in_quotes(run: "AsyncRun") -> None: ...
async def dotted(run: "daemon.AsyncRun") -> None: ...
async def only_for_types(run: "OnlyForTypes") -> None: ...
async def unannotated(run) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def plain_run(run: Run) -> None: ...
def anything(run: Any, times: int = 2, *more: Any) -> None: ...


@pytest.mark.parametrize(
    "function", [async_run, either, in_quotes, dotted, only_for_types, unannotated, plain_run, anything, Shop().bound]
)
def test_what_is_right_is_taken(function: Callable[..., Any]) -> None:
    schedules = Schedules("shop")
    assert schedules.every(60)(function) is function
    assert len(schedules.application().schedules[0].jobs) == 1


@pytest.mark.parametrize(("method", "isolation"), [(Shop.__dict__["static"], "task"), (Shop.of_class, "process")])
def test_a_static_method_is_the_function_that_it_is(method: Any, isolation: str) -> None:
    schedules = Schedules("shop", env={"A": "1"})
    schedules.every(60, name="n")(method)
    assert schedules.application().schedule("n").jobs[0].isolation == isolation


def test_a_method_that_was_taken_from_its_class_is_told() -> None:
    with pytest.raises(DefinitionError, match="it is a method, which would get the run as its `self`"):
        Schedules("shop").every(60)(Shop.lone)


def durations(model: type[Schedule | Job]) -> list[str]:
    return [name for name, info in model.settings().items() if info.annotation in (float, float | None)]


def test_a_timedelta_is_taken_wherever_a_duration_is() -> None:
    schedules = Schedules("shop", timeout=timedelta(hours=1))
    half, minute = timedelta(seconds=30), timedelta(minutes=1)
    settings: dict[str, Any] = {name: half if name == "jitter" else minute for name in durations(Schedule)}
    of_job: dict[str, Any] = dict.fromkeys([name for name in durations(Job) if name != "timeout"], minute)
    schedules.add("nightly", **settings).job(**of_job)(job)
    made = schedules.application().schedule("nightly")
    assert {name: getattr(made, name) for name in settings} == {**dict.fromkeys(settings, 60.0), "jitter": 30.0}
    assert {name: getattr(made.jobs[0], name) for name in of_job} == dict.fromkeys(of_job, 60.0)
    assert made.jobs[0].timeout == 3600.0
    assert {"every", "start_within", "jitter"} <= settings.keys()
    assert {"backoff"} <= of_job.keys()


def test_the_two_kinds_of_a_run_are_those_that_jobs_get() -> None:
    assert {AsyncRun.__module__, Run.__module__} == {_MODULE_OF_RUNS}
    assert {AsyncRun.__name__, Run.__name__} == _RUNS
