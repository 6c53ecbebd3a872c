"""The definitions under test, as an application whose functions a test can patch."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, assert_never

from ..definitions.application import Application
from ..definitions.job import Job
from ..definitions.schedule import Schedule
from ..definitions.sources.load import load
from ..jobs.run import AsyncRun, run_of_function
from ..own_thread import in_own_thread
from ..schedules import Schedules
from .clock import Misuse

Definitions = Schedules | Application | str | Path
"""A `Schedules`, or FILE as on the command line: ``"shop.py"`` or ``"shop:schedules"``."""


def application_of(definitions: Definitions, *, in_children: bool) -> Application:
    """Return the application, with functions that run in this process unless ``in_children``."""
    application = _application(definitions)
    if not in_children:
        return in_process(application)
    if not application.spec:
        raise Misuse(
            "a function runs in a child only if the child can load FILE: give FILE instead of the Schedules, "
            'as in ManualReplica(store, "shop.py", in_children=True)'
        )
    return application


def _application(definitions: Definitions) -> Application:
    match definitions:
        case Schedules():
            return definitions.application(Path.cwd() / "schedules.py")
        case Application():
            return definitions
        case str() | Path():
            return load(definitions)
        case _:
            assert_never(definitions)


def in_process(application: Application) -> Application:
    """Return the application with its functions as tasks; commands stay child processes."""
    return replace(application, schedules=tuple(_schedule(schedule) for schedule in application.schedules))


def _schedule(schedule: Schedule) -> Schedule:
    return schedule.model_copy(update={"jobs": tuple(_job(job) for job in schedule.jobs)})


def _job(job: Job) -> Job:
    if job.function is None or job.isolation != "process":
        return job
    in_a_task = {"isolation": "task", "function": _as_task(job.function), "env": {}, "cwd": None}
    return job.model_copy(update=in_a_task)


def _as_task(function: Callable[..., Any]) -> Callable[[AsyncRun], Awaitable[Any]]:
    is_async = inspect.iscoroutinefunction(function)

    @wraps(function)
    async def call(run: AsyncRun) -> Any:
        if is_async:
            return await function(run)
        blocking = run_of_function(run)  # in a thread it can hang, and the test still ends
        return await in_own_thread(lambda: function(blocking), f"leased-job-{blocking.schedule}")

    return call
