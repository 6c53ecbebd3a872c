"""Jobs in Python that are taken, however they are written; what is refused is in `test_refusals.py`."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import daemon
from daemon import AsyncRun, Run, Schedules
from daemon.definitions.schedule import Job, Schedule
from daemon.definitions.values.work import _MODULE_OF_RUNS, _RUNS
from daemon.errors import DefinitionError

if TYPE_CHECKING:
    from daemon import AsyncRun as OnlyForTypes


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
