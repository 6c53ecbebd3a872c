"""The work: schedules that are all due by now, each with one run of one job that does nothing."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, func, insert, literal, select

from daemon.definitions.application import Application, Known
from daemon.definitions.schedule import Job, Schedule
from daemon.scheduling.deploys.sync import sync
from daemon.scheduling.plan_due import plan_due
from daemon.store.tables import job_run, run, schedule
from lease.database.opening import open_database

from ..errors import BenchmarkError

MEASURED = "bench"
WARM_UP = "warm-up"
"""The application whose runs are executed before the clock starts: connections are open then, and statements compiled."""
JOB = "nothing"
TIMEOUT = 10.0
"""Seconds that a transaction may take."""

BEGAN = datetime(2020, 1, 1, tzinfo=UTC)
"""When all is due; the history is of the minutes before."""
_PAST_HOLDER = "long-gone"


def names(schedules: int) -> tuple[str, ...]:
    """Return the names of the schedules of either application."""
    return tuple(f"schedule-{number:05}" for number in range(schedules))


def known(application: str, schedules: int) -> Known:
    """Return what replicas know of either application."""
    return Known(_application(application, schedules).run_digests)


async def prepare(url: str, schedules: int, warm_up: int) -> None:
    """Fill a database that has its tables: sync the definitions and plan what is due, as a replica does when it starts."""
    database = open_database(url, timeout=TIMEOUT * 6)
    try:
        for name, size in ((MEASURED, schedules), (WARM_UP, warm_up)):
            application = _application(name, size)
            known = {one.name: one for one in application.schedules}
            await database.write(partial(sync, application=application))
            while (await database.write(partial(plan_due, application=name, known=known))).more:
                pass
            pending = await database.read(partial(_pending, application=name))
            if pending != size:
                raise BenchmarkError(f"{size} schedules are due, but {pending} runs were planned")
    finally:
        await database.close()


async def add_history(url: str, runs_each: int) -> None:
    """Give each schedule that is measured so many runs that have succeeded, with their job runs."""
    database = open_database(url, timeout=TIMEOUT * 6)
    try:
        await database.write(partial(write_history, runs_each=runs_each))
    finally:
        await database.close()


def _application(name: str, schedules: int) -> Application:
    jobs = (Job(name=JOB, command="true"),)
    return Application(
        name, Path("due.py"), tuple(Schedule(name=each, at=BEGAN, jobs=jobs) for each in names(schedules))
    )


def _pending(connection: Connection, application: str) -> int:
    due = select(func.count()).where(run.c.application == application, run.c.state == "pending")
    return connection.execute(due).scalar_one()


def write_history(connection: Connection, runs_each: int) -> None:
    """Write what `add_history` adds, however long that takes."""
    for number in range(1, runs_each + 1):
        at = BEGAN - timedelta(minutes=number)
        finished = {
            "scheduled_for": at,
            "trigger": "schedule",
            "state": "succeeded",
            "available_at": at,
            "token": number,
            "holder": _PAST_HOLDER,
            "attempt": 1,
            "created_at": at,
            "started_at": at,
            "finished_at": at,
        }
        rows = select(
            schedule.c.application,
            schedule.c.name,
            literal(f"run/{MEASURED}/") + schedule.c.name,
            *(literal(value, run.c[column].type) for column, value in finished.items()),
        ).where(schedule.c.application == MEASURED)
        connection.execute(insert(run).from_select(["application", "schedule", "lease_name", *finished], rows))
    jobs = select(
        run.c.id, literal(JOB), literal(0), literal(1), run.c.state, run.c.token, run.c.holder, run.c.started_at
    ).add_columns(run.c.finished_at)
    columns = ["run_id", "job", "position", "attempt", "state", "token", "holder", "started_at", "finished_at"]
    connection.execute(insert(job_run).from_select(columns, jobs.where(run.c.holder == _PAST_HOLDER)))
