"""The scene of revision 0008, the last one before 0009: what a replica of then has at work when a newer version comes,
and the statements by which it then goes on. It is run with the code of that version: see `tests.data.upgrades`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from playing import HOLDER, LABEL, TTL, Scene, a_schedule, an_application, asks, play
from sqlalchemy import update

from daemon.definitions.application import Application
from daemon.definitions.known import Known
from daemon.execution.claim import claim
from daemon.execution.writes.beside import PATIENCE, save_output, save_progress
from daemon.execution.writes.job_ends import FinishJob
from daemon.execution.writes.job_starts import StartJob
from daemon.execution.writes.lane import Write, write_set
from daemon.execution.writes.result import EndedJob
from daemon.execution.writes.run_ends import EndRun
from daemon.jobs.outcome import Outcome
from daemon.jobs.output.transcript import Piece
from daemon.jobs.reports import Progress
from daemon.operations.cancel import cancel
from daemon.operations.trigger import trigger
from daemon.recovery import registry
from daemon.scheduling import plan_rows
from daemon.scheduling.bring import bring
from daemon.scheduling.plan_due import plan_due
from daemon.store.tables import schedule
from lease import statements

BEFORE = "older-replica"
"""One that had the definitions of the generation before, and has ended."""
AWAY = timedelta(hours=9, minutes=30)
"""For so long `missed` was not planned."""


SCHEDULES = (
    a_schedule("at-work", "first", "second", "third"),
    a_schedule("stays-at-work"),
    a_schedule("to-be-retried", "first", "second"),
    a_schedule("retrying", "first", "second"),
    a_schedule("waiting"),
    a_schedule("queued", overlap="queue"),
    a_schedule("each-alone", overlap="allow"),
    a_schedule("locked", lock="api"),
    a_schedule("cancelled"),
    a_schedule("being-cancelled"),
    a_schedule("cancel-goes-on", overlap="queue"),
    a_schedule("missed"),
    a_schedule("redefined", "first", "second"),
    a_schedule("once", every=None, catch_up="latest", at=datetime(2026, 1, 1, tzinfo=UTC)),
    a_schedule("done"),
)
CHANGED = (*SCHEDULES[:-2], a_schedule("waiting-elsewhere"))
OF_BEFORE = (
    *(a_schedule("redefined", "first") if one.name == "redefined" else one for one in SCHEDULES[:-2]),
    a_schedule("retired"),
)
"""The definitions of the generation before."""


def known(*names: str) -> Known:
    """Return the definitions that the replica has of these schedules."""
    return Known({one.name: one.run_digest() for one in SCHEDULES if one.name in names})


def claimed(scene: Scene, *names: str) -> dict[str, Any]:
    found = scene.do(claim, "shop", known(*names), HOLDER, LABEL, TTL, 20)
    return {run.schedule: run for run in found}


def written(connection: Any, one: Write) -> Any:
    """Make the write of a holder, in a set of its own."""
    (answer,) = write_set(connection, [one], patience=PATIENCE)
    assert not isinstance(answer, Exception), answer
    return answer


def set_up(scene: Scene) -> dict[str, Any]:
    """Runs that wait, that are at work and that are to be tried again, that were cancelled or skipped, of definitions of
    two generations; return what is at work.
    """
    before, now = an_application(*OF_BEFORE), an_application(*SCHEDULES)
    scene.do(registry.register, entry(BEFORE, before, 4710))
    scene.do(bring, before, by="old-host", holder=BEFORE)
    for name in ("redefined", "retired"):
        scene.do(trigger, "shop", name, requested_by="ada@old-host")
    scene.do(registry.mark_stopped, BEFORE)
    scene.do(registry.register, entry(HOLDER, now, 4711))
    scene.do(bring, now, by="old-host", holder=HOLDER)
    scene.do(registry.mark_ready, HOLDER)
    scene.do(leave_unplanned)
    plan_rows.LONGEST_STRETCH = 3  # so that few rows do for a counted one
    scene.do(plan_due, "shop", {one.name: one for one in SCHEDULES})
    requested: dict[str, int] = {}
    for one in SCHEDULES:
        for _ in range(2 if one.name in ("queued", "each-alone", "cancel-goes-on") else 1):
            if one.name not in ("once", "missed", "redefined"):
                requested[one.name] = scene.do(trigger, "shop", one.name, requested_by="ada@old-host")
    at_work = (
        "at-work",
        "stays-at-work",
        "to-be-retried",
        "retrying",
        "queued",
        "done",
        "being-cancelled",
        "cancel-goes-on",
    )
    runs = claimed(scene, *at_work)
    for name in ("at-work", "retrying"):
        number = scene.do(written, StartJob(runs[name], "first", 0, 1))
        scene.do(written, FinishJob(runs[name], EndedJob(number, Outcome("succeeded"))))
    for name in at_work:
        position = 1 if name in ("at-work", "retrying") else 0
        job = ("first", "second")[position] if name in ("at-work", "retrying", "to-be-retried") else "work"
        runs[name, "job"] = scene.do(written, StartJob(runs[name], job, position, 1))
    failed = Outcome("failed", "exit status 1", Piece(0, 0, "half of it\n"), status=1)
    ended = EndedJob(runs.pop(("retrying", "job")), failed)
    scene.do(written, EndRun(runs.pop("retrying"), "pending", None, ended, wait=0.0))
    ended = EndedJob(runs.pop(("done", "job")), Outcome("succeeded"))
    scene.do(written, EndRun(runs.pop("done"), "succeeded", None, ended))
    for number in (requested["cancelled"], runs["being-cancelled"].run_id, runs["cancel-goes-on"].run_id):
        scene.do(cancel, number, requested_by="ada@old-host", why="it was asked for twice")
    return runs


def entry(holder: str, application: Application, pid: int) -> registry.ReplicaEntry:
    return registry.ReplicaEntry(holder, "shop", "old-host", pid, 1, None, None, "0.2.0", application.digest)


def leave_unplanned(connection: Any) -> None:
    """Let a schedule have been there for hours in which nothing was up."""
    of_it = schedule.c.name == "missed"
    planned = connection.execute(schedule.select().where(of_it)).one().planned_until
    then = planned - AWAY
    since = dict.fromkeys(("created_at", "changed_at", "synced_at", "anchor", "planned_until"), then)
    connection.execute(update(schedule).where(of_it).values(**since, next_due=then + timedelta(hours=1)))


def go_on(scene: Scene, runs: dict[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield each transaction by which the old replica goes on, and its statements."""
    at_work, retried = runs["at-work"], runs["to-be-retried"]
    yield "renew", scene.recorded(statements.renew, HOLDER, TTL, lock_wait=1.0)[1]
    yield "sign of life", scene.recorded(registry.touch, HOLDER)[1]
    progress = {runs["at-work", "job"]: Progress(1.0, 2.0, "half")}
    yield "save progress", scene.recorded(save_progress, HOLDER, progress)[1]
    printed = {runs["at-work", "job"]: Piece(0, 0, "half of it is done\n")}
    yield "save output", scene.recorded(save_output, HOLDER, printed)[1]
    ended = EndedJob(runs["at-work", "job"], Outcome("succeeded"))
    yield "finish a job", scene.recorded(written, FinishJob(at_work, ended))[1]
    number, made = scene.recorded(written, StartJob(at_work, "third", 2, 1))
    yield "start a job", made
    ended = EndedJob(number, Outcome("succeeded"))
    yield "finish a run", scene.recorded(written, EndRun(at_work, "succeeded", None, ended))[1]
    failed = Outcome("failed", "exit status 1", Piece(0, 0, "some of it\n"), status=1)
    ended = EndedJob(runs["to-be-retried", "job"], failed)
    yield "put a run back", scene.recorded(written, EndRun(retried, "pending", None, ended, wait=0.0))[1]
    ended = EndedJob(runs["queued", "job"], Outcome("succeeded"))
    yield (
        "finish a run that others wait for",
        scene.recorded(written, EndRun(runs["queued"], "succeeded", None, ended))[1],
    )
    ended = EndedJob(runs["cancel-goes-on", "job"], Outcome("stopped"))
    yield (
        "end a cancelled run",
        scene.recorded(written, EndRun(runs["cancel-goes-on"], "pending", None, ended, wait=0.0))[1],
    )
    names = [one.name for one in SCHEDULES]
    yield "claim", scene.recorded(claim, "shop", known(*names), HOLDER, LABEL, TTL, 20, keep=False)[1]
    yield from asks(scene, SCHEDULES, CHANGED)


play(set_up, go_on)
