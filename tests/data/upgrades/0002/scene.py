"""The scene of revision 0002: what a replica of 0.1.0 has at work when a newer version comes, and the
statements by which it then goes on. It is run with the code of that version: see `tests.data.upgrades`.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event, update
from sqlalchemy.pool import NullPool

from daemon.definitions.application import Application
from daemon.definitions.job import Job
from daemon.definitions.schedule import Schedule
from daemon.execution.claim import claim
from daemon.execution.completion import EndedJob, finish_job, finish_run, retry_run, save_progress, start_job
from daemon.jobs.outcome import Outcome
from daemon.jobs.reports import Progress
from daemon.operations.trigger import trigger
from daemon.recovery import registry
from daemon.scheduling.plan_due import plan_due
from daemon.scheduling.sync import sync
from daemon.store import migrations
from lease import statements
from lease.schema import lease

HOLDER, LABEL, TTL = "old-replica", "old-host:4711", 15.0
HOURLY = {"every": 3600.0, "catch_up": "skip"}


def a_schedule(name: str, *jobs: str, **settings: Any) -> Schedule:
    made = tuple(Job(name=job, command="true", retries=2) for job in jobs or ("work",))
    return Schedule.model_validate({"name": name, "jobs": made, **HOURLY, **settings})


SCHEDULES = (
    a_schedule("at-work", "first", "second", "third"),
    a_schedule("stays-at-work"),
    a_schedule("to-be-retried", "first", "second"),
    a_schedule("retrying", "first", "second"),
    a_schedule("waiting"),
    a_schedule("queued", overlap="queue"),
    a_schedule("each-alone", overlap="allow"),
    a_schedule("locked", lock="api"),
    a_schedule("once", every=None, catch_up="latest", at=datetime(2026, 1, 1, tzinfo=UTC)),
    a_schedule("done"),
)
CHANGED = (*SCHEDULES[:-2], a_schedule("waiting-elsewhere"))


def an_application(*schedules: Schedule) -> Application:
    return Application("shop", Path("schedules.toml"), schedules)


class Scene:
    """A database, and the statements that are made on it."""

    def __init__(self, url: str) -> None:
        self.sqlite = url.startswith("sqlite")
        self.engine = create_engine(
            url, poolclass=NullPool, **({"isolation_level": "AUTOCOMMIT"} if self.sqlite else {})
        )
        if not self.sqlite:
            self.engine = self.engine.execution_options(schema_translate_map={None: "public"})
        self.made: list[dict[str, Any]] = []
        event.listen(self.engine, "after_cursor_execute", self._record)

    def _record(self, _connection: Any, cursor: Any, sql: str, parameters: Any, _context: Any, many: bool) -> None:
        self.made.append({"sql": sql, "parameters": written(parameters), "many": many, "rows": cursor.rowcount})

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[Any]:
        with self.engine.connect() as connection:
            driver = connection.connection.driver_connection
            driver.execute("BEGIN IMMEDIATE" if self.sqlite else "BEGIN")
            yield connection
            driver.execute("COMMIT" if keep else "ROLLBACK")

    def do(self, unit: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        with self.transaction() as connection:
            return unit(connection, *arguments, **named)

    def recorded(
        self, unit: Callable[..., Any], *arguments: Any, keep: bool = True, **named: Any
    ) -> tuple[Any, list[Any]]:
        """Return what the unit did, and the statements that it made."""
        self.made = []
        with self.transaction(keep=keep) as connection:
            result = unit(connection, *arguments, **named)
        return result, self.made


def written(value: Any) -> Any:
    match value:
        case dict():
            return {name: written(one) for name, one in value.items()}
        case list() | tuple():
            return [written(one) for one in value]
        case datetime():
            return {"instant": value.isoformat()}
        case _:
            return value


def claimed(scene: Scene, *names: str) -> dict[str, Any]:
    found = scene.do(claim, "shop", names, HOLDER, LABEL, TTL, 20)
    return {run.schedule: run for run in found}


def set_up(scene: Scene) -> dict[str, Any]:
    """Runs that wait, that are at work and that are to be tried again; return what is at work."""
    scene.do(sync, an_application(*SCHEDULES))
    scene.do(registry.register, registry.ReplicaEntry(HOLDER, "shop", "old-host", 4711, 1, None, None, "0.1.0"))
    scene.do(plan_due, "shop", {one.name: one for one in SCHEDULES})
    for one in SCHEDULES:
        for _ in range(2 if one.name in ("queued", "each-alone") else 1):
            if one.name != "once":
                scene.do(trigger, "shop", one.name, requested_by="ada@old-host")
    runs = claimed(scene, "at-work", "stays-at-work", "to-be-retried", "retrying", "queued", "done")
    for name in ("at-work", "retrying"):
        number = scene.do(start_job, runs[name], "first", 0, 1)
        scene.do(finish_job, runs[name], number, Outcome("succeeded"))
    for name, position in (("at-work", 1), ("stays-at-work", 0), ("to-be-retried", 0), ("retrying", 1), ("queued", 0)):
        job = ("first", "second")[position] if name not in ("stays-at-work", "queued") else "work"
        runs[name, "job"] = scene.do(start_job, runs[name], job, position, 1)
    failed = EndedJob(runs.pop(("retrying", "job")), Outcome("failed", "exit status 1", "half of it\n", status=1))
    scene.do(retry_run, runs.pop("retrying"), 0.0, job=failed)
    number = scene.do(start_job, runs["done"], "work", 0, 1)
    scene.do(finish_run, runs.pop("done"), "succeeded", job=EndedJob(number, Outcome("succeeded")))
    return runs


def go_on(scene: Scene, runs: dict[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield each transaction by which the old replica goes on, and its statements."""
    at_work, retried = runs["at-work"], runs["to-be-retried"]
    yield "renew", scene.recorded(statements.renew, HOLDER, TTL, lock_wait=1.0)[1]
    yield "sign of life", scene.recorded(registry.touch, HOLDER)[1]
    yield (
        "save progress",
        scene.recorded(save_progress, HOLDER, {runs["at-work", "job"]: Progress(1.0, 2.0, "half")})[1],
    )
    yield "finish a job", scene.recorded(finish_job, at_work, runs["at-work", "job"], Outcome("succeeded"))[1]
    number, made = scene.recorded(start_job, at_work, "third", 2, 1)
    yield "start a job", made
    yield (
        "finish a run",
        scene.recorded(finish_run, at_work, "succeeded", job=EndedJob(number, Outcome("succeeded")))[1],
    )
    failed = EndedJob(runs["to-be-retried", "job"], Outcome("failed", "exit status 1", "some of it\n", status=1))
    yield "put a run back", scene.recorded(retry_run, retried, 0.0, job=failed)[1]
    number = EndedJob(runs["queued", "job"], Outcome("succeeded"))
    yield "finish a run that others wait for", scene.recorded(finish_run, runs["queued"], "succeeded", job=number)[1]
    # None of these is kept, so that each is made on what the others find.
    names = [one.name for one in SCHEDULES]
    yield "claim", scene.recorded(claim, "shop", names, HOLDER, LABEL, TTL, 20, keep=False)[1]
    yield "sync", scene.recorded(sync, an_application(*CHANGED), keep=False)[1]
    yield "sync that only retires", scene.recorded(sync, an_application(*SCHEDULES[:-1]), keep=False)[1]
    yield "sync that only adds", scene.recorded(sync, an_application(*SCHEDULES, *CHANGED[-1:]), keep=False)[1]
    retimed = (a_schedule("at-work", "first", "second", "third", every=60.0), *SCHEDULES[1:])
    yield "sync that only changes", scene.recorded(sync, an_application(*retimed), keep=False)[1]
    yield "sync that changes nothing", scene.recorded(sync, an_application(*SCHEDULES), keep=False)[1]
    yield "trigger", scene.recorded(trigger, "shop", "waiting", requested_by="ada@old-host", keep=False)[1]


def move(connection: Any) -> None:
    """Let it be the database of a machine that has been started anew since."""
    connection.execute(update(lease).where(lease.c.boot.is_not(None)).values(boot="an earlier boot"))


def main(url: str, output: str) -> None:
    """Set the scene and say so, wait for the dump of it (a line on stdin), go on, and write what was made."""
    migrations.upgrade(url)
    scene = Scene(url)
    runs = set_up(scene)
    scene.do(move)
    sys.stdout.write("set\n")
    sys.stdout.flush()
    sys.stdin.readline()
    made = [{"does": name, "statements": made} for name, made in go_on(scene, runs)]
    Path(output).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


main(*sys.argv[1:])
