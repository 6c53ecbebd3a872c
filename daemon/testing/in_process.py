"""The functions of an application as tasks in this process: a test can patch what they call."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from ..definitions.application import Application
from ..definitions.job import Job
from ..definitions.schedule import Schedule
from ..jobs.run import AsyncRun, run_of_function
from ..own_thread import in_own_thread


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
