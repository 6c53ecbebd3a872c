"""The whole way of a run, over the connections that a replica has: sync, plan, claim, jobs, end."""

import pytest

from daemon.definitions.application import Known
from daemon.execution.claim import ClaimedRun, claim
from daemon.jobs.processes.identity import ProcessIdentity
from daemon.jobs.reports import Outcome, Progress
from daemon.operations.trigger import trigger
from daemon.recovery.registry import ReplicaEntry, mark_stopped, register, touch
from daemon.recovery.settle import settle, settle_dead, suspects
from daemon.scheduling.deploys.sync import sync
from daemon.scheduling.plan_due import plan_due
from daemon.service.waking.idle_wait import read_agenda
from daemon.store.migrations import check
from daemon.store.views.history import read_runs
from daemon.store.views.replicas import read_replicas
from lease.database.database import Database
from lease.database.opening import open_database
from tests.support.completion import (
    Done,
    EndedJob,
    finish_job,
    finish_run,
    hand_back,
    record_keeper,
    save_progress,
    start_job,
)
from tests.support.store import TTL, a_schedule, an_application, an_at
from tests.support.waiting import LIMIT

pytestmark = [pytest.mark.conformance, pytest.mark.anyio]

SCHEDULE = an_at("nightly", jobs=("one", "two"), overlap="queue")


async def test_a_run_from_its_instant_to_its_end_and_over_two_replicas(database_url: str) -> None:
    database = open_database(database_url, timeout=LIMIT)
    try:
        await _told(database)
    finally:
        await database.close()


async def _started(database: Database, claimed: ClaimedRun, job: str, position: int, attempt: int) -> int:
    number = await database.write(lambda connection: start_job(connection, claimed, job, position, attempt))
    assert isinstance(number, int)
    return number


async def _told(database: Database) -> None:
    schedules = {"nightly": SCHEDULE, "allowed": a_schedule("allowed", overlap="allow")}
    await database.read(check)
    await database.write(lambda connection: sync(connection, an_application(*schedules.values())))
    entry = ReplicaEntry("h1", "shop", "a host", 1, 2, "boot", "pid:[1]", "0.1")
    await database.write(lambda connection: register(connection, entry))
    known = Known({name: schedule.run_digest() for name, schedule in schedules.items()})
    look = await database.read(lambda connection: read_agenda(connection, "shop", known, "h1"))
    assert look.due == 1
    await database.write(lambda connection: plan_due(connection, "shop", schedules))
    (planned,) = await database.read(lambda connection: read_runs(connection, limit=10))
    assert (planned.schedule, planned.state) == ("nightly", "pending")

    (first,) = await database.write(lambda connection: claim(connection, "shop", known, "h1", "one", TTL, 5))
    job = await _started(database, first, "one", 0, 1)
    await database.write(lambda connection: record_keeper(connection, first, job, ProcessIdentity(3, 4)))
    (suspect,) = await database.read(lambda connection: suspects(connection, "shop", "boot", "pid:[1]"))
    assert suspect.keepers == (ProcessIdentity(3, 4),)
    await database.write(lambda connection: save_progress(connection, "h1", {job: Progress(1.0, 2.0)}))
    assert await database.write(lambda connection: finish_job(connection, first, job, Outcome("succeeded"))) == Done()
    stopped = await _started(database, first, "two", 1, 1)
    ended = EndedJob(stopped, Outcome("stopped"))
    assert isinstance(await database.write(lambda connection: hand_back(connection, first, job=ended)), Done)

    (second,) = await database.write(lambda connection: claim(connection, "shop", known, "h2", "two", TTL, 5))
    assert [(job, done.state, done.next_attempt) for job, done in second.jobs.items()] == [
        ("one", "succeeded", 2),
        ("two", "stopped", 2),
    ]
    (settled,) = await database.write(lambda connection: settle_dead(connection, [second.grant]))
    assert settled.outcome == "stopped", "it had begun no work (rule 16)"
    assert await database.write(settle) == []

    asked = await database.write(lambda connection: trigger(connection, "shop", "nightly", requested_by="ada"))
    (third,) = await database.write(lambda connection: claim(connection, "shop", known, "h1", "one", TTL, 5))
    assert (third.run_id, third.attempt, third.grant.token) == (first.run_id, 3, 3)
    job = await _started(database, third, "two", 1, 2)
    failed = EndedJob(job, Outcome("failed", "no", status=1))
    done = await database.write(
        lambda connection: finish_run(connection, third, "failed", "two failed", job=failed, not_started=[("three", 2)])
    )
    assert done == Done()
    (fourth,) = await database.write(lambda connection: claim(connection, "shop", known, "h2", "two", TTL, 5))
    assert fourth.run_id == asked, "it waited for the one that ended"
    assert await database.write(lambda connection: touch(connection, "h1", "draining"))
    assert await database.write(lambda connection: mark_stopped(connection, "h1"))
    (gone,) = await database.read(lambda connection: read_replicas(connection, past=1))
    assert gone.state == "stopped"
