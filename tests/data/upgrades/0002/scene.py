"""The scene of revision 0002: what a replica of 0.1.0 has at work when a newer version comes, and the
statements by which it then goes on. It is run with the code of that version: see `tests.data.upgrades`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from playing import HOLDER, LABEL, TTL, Scene, a_schedule, an_application, asks, play

from daemon.execution.claim import claim
from daemon.execution.completion import EndedJob, finish_job, finish_run, retry_run, save_progress, start_job
from daemon.jobs.outcome import Outcome
from daemon.jobs.reports import Progress
from daemon.operations.trigger import trigger
from daemon.recovery import registry
from daemon.scheduling.plan_due import plan_due
from daemon.scheduling.sync import sync
from lease import statements

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
    names = [one.name for one in SCHEDULES]
    yield "claim", scene.recorded(claim, "shop", names, HOLDER, LABEL, TTL, 20, keep=False)[1]
    yield from asks(scene, SCHEDULES, CHANGED)


play(set_up, go_on)
