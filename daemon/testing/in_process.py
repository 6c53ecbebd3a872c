"""The functions of an application as tasks of this process, so that a test can patch what they call."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from ..definitions.model import Application, Job, Schedule
from ..jobs.run import AsyncRun, run_of_function


def in_process(application: Application) -> Application:
    """Return the application with its functions as tasks; commands stay child processes."""
    return replace(application, schedules=tuple(_schedule(schedule) for schedule in application.schedules))


def _schedule(schedule: Schedule) -> Schedule:
    return replace(schedule, jobs=tuple(_job(job) for job in schedule.jobs))


def _job(job: Job) -> Job:
    if job.function is None or job.isolation != "process":
        return job
    return replace(job, isolation="task", function=_in_thread(job.function), env={}, cwd=None)


def _in_thread(function: Callable[..., Any]) -> Callable[[AsyncRun], Awaitable[Any]]:
    is_async = asyncio.iscoroutinefunction(function)

    @wraps(function)
    async def call(run: AsyncRun) -> Any:
        if is_async:
            return await function(run)
        return await asyncio.to_thread(function, run_of_function(run))

    return call
