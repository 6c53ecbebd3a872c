"""The functions of an application as tasks in this process: a test can patch what they call."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import wraps
from threading import Thread
from typing import Any

from ..definitions.application import Application
from ..definitions.job import Job
from ..definitions.schedule import Schedule
from ..jobs.run import AsyncRun, Run, run_of_function


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
        return await (function(run) if is_async else _in_thread(function, run_of_function(run)))

    return call


async def _in_thread(function: Callable[[Run], Any], run: Run) -> Any:
    """Call the function in a daemon thread, where it can hang and the test still ends."""
    ended: Future[Any] = Future()
    ended.set_running_or_notify_cancel()  # the waiting task may be cancelled, but not the function

    def call() -> None:
        try:
            ended.set_result(function(run))
        except BaseException as error:  # noqa: BLE001 - what ends it belongs to the attempt, sys.exit included
            ended.set_exception(error)

    Thread(target=call, name=f"leased-job-{run.schedule}", daemon=True).start()
    return await asyncio.wrap_future(ended)
