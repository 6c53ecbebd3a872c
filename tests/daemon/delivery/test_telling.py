"""What people asked to be told is written in the transaction of the change, and nothing where nobody asked."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection, event, select

from daemon import AsyncRun, Schedules
from daemon.definitions.triggers.trigger import Every
from daemon.operations.cancel import cancel
from daemon.operations.retire import retire
from daemon.operations.trigger import trigger
from daemon.recovery.settle import settle
from daemon.scheduling.telling import Told, tell
from daemon.states import MOST_ABANDONED
from daemon.store.tables import delivery, run, schedule
from daemon.testing import ManualReplica, ManualStore
from tests.support.completion import start_job
from tests.support.manual import ONE_O_CLOCK, Gate, at_work
from tests.support.store import Store, a_schedule, an_at

OPS = {"url": "https://ops.example.com/hook"}
PING = {"url": "https://hc-ping.com/abc"}


def told(store: Store) -> list[tuple[Any, ...]]:
    query = select(delivery.c.kind, delivery.c.schedule, delivery.c.run_id, delivery.c.count).order_by(delivery.c.id)
    return [tuple(row) for row in store.rows(query)]


def a_shop(work: Any, **settings: Any) -> Schedules:
    schedules = Schedules("shop")
    schedules.add("nightly", cron="0 2 * * *", **settings).job(name="export", isolation="task")(work)
    return schedules


async def kinds_of(replica: ManualReplica) -> list[str]:
    query = select(delivery.c.kind).order_by(delivery.c.id)
    return await replica.store.read(lambda connection: list(connection.scalars(query)))


@pytest.mark.anyio
async def test_a_failure_and_the_first_success_after_it_are_told_and_no_other_success() -> None:
    fails = iter([False, True, True, False, False])

    async def export(run: AsyncRun) -> None:
        if next(fails):
            raise ValueError("no disk")

    schedules = a_shop(export, notify=OPS, ping=PING)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        found = []
        for _ in range(5):
            before = len(await kinds_of(replica))
            await replica.run_once("nightly")
            found.append((await kinds_of(replica))[before:])
    failed = ["run.failed", "ping.fail"]
    assert found == [["ping.success"], failed, failed, ["schedule.recovered", "ping.success"], ["ping.success"]]


@pytest.mark.anyio
async def test_a_run_that_a_person_cancels_tells_nothing_also_if_its_job_fails_then() -> None:
    gate = Gate()

    async def export(run: AsyncRun) -> None:
        await gate.passed()
        raise ValueError("no disk")

    schedules = a_shop(export, notify=OPS, ping=PING)
    async with at_work(gate, schedules) as (replica, run_id):
        await replica.store.write(lambda connection: cancel(connection, run_id, requested_by="ada"))
        gate.open()
        assert (await replica.wait_for(run_id)).run.state == "cancelled"
        assert await kinds_of(replica) == []


@pytest.mark.anyio
async def test_a_timeout_is_told_and_a_job_that_stalled_also_if_it_is_tried_again() -> None:
    async def export(run: AsyncRun) -> None:
        await asyncio.Event().wait()

    schedules = a_shop(export, notify={**OPS, "on": ["run.stalled", "run.failed"]}, stall_after=0.05)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        await replica.run_once("nightly")
        assert await kinds_of(replica) == ["run.stalled", "run.failed"]
    schedules = Schedules("shop")
    schedules.add("nightly", cron="0 2 * * *", notify=OPS, stall_after=0.05).job(retries=1, isolation="task")(export)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        await replica.run_once("nightly")
        assert await kinds_of(replica) == ["run.stalled"]


@pytest.mark.anyio
async def test_where_nobody_asked_no_statement_knows_of_messages() -> None:
    async def export(run: AsyncRun) -> None:
        raise ValueError("no disk")

    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(export)) as replica:
        engine = await store.read(lambda connection: connection.engine)
        event.listen(engine, "before_cursor_execute", note)
        await replica.run_once("nightly")
        event.remove(engine, "before_cursor_execute", note)
    assert any("UPDATE run SET" in one for one in statements)
    assert not [one for one in statements if "delivery" in one]


def test_an_abandoned_attempt_is_told_and_the_failure_after_three_of_them(store: Store) -> None:
    store.sync(a_schedule("nightly", notify=[OPS], ping=PING), a_schedule("silent"))
    nightly, _ = (store.do(trigger, "shop", name, requested_by="ada") for name in ("nightly", "silent"))
    for number in range(MOST_ABANDONED):
        for claimed in store.claim("nightly", "silent", holder=f"h{number}"):
            store.do(start_job, claimed, "work", 0, number + 1)
            store.go_stale(claimed.grant)
        store.do(settle)
    assert told(store) == [
        ("run.abandoned", "nightly", nightly, 1),
        ("run.abandoned", "nightly", nightly, 1),
        ("run.failed", "nightly", nightly, 1),
        ("ping.fail", "nightly", nightly, 1),
    ]


def test_missed_times_are_told_unless_the_schedule_is_to_skip_what_it_misses(store: Store) -> None:
    polls = [
        a_schedule("poll", Every(20.0), notify=[OPS], start_within=60.0),
        a_schedule("skips", Every(20.0), notify=[OPS], catch_up="skip"),
    ]
    store.sync(*polls)
    for one in polls:
        passed = {"planned_until": -150.0, "next_due": -130.0, "anchor": -150.0}
        store.shift(schedule, schedule.c.name == one.name, **passed)
    store.plan(*polls)
    missed = store.runs(run.c.reason == "missed")
    counts = {name: sum(row._mapping["count"] for row in missed if row.schedule == name) for name in ("poll", "skips")}
    assert min(counts.values()) > 1
    assert told(store) == [("schedule.missed", "poll", None, counts["poll"])]


def test_what_is_retired_is_told_by_its_last_definition(store: Store) -> None:
    store.sync(a_schedule("nightly", notify=[OPS]), an_at("silent"), a_schedule("stays", notify=[OPS]))
    store.sync(a_schedule("stays", notify=[OPS]))
    assert told(store) == [("schedule.retired", "nightly", None, 1)]
    store.do(retire, "shop", requested_by="ada")
    assert len(told(store)) == 1, "a person has retired the rest"


def test_a_message_is_undone_with_the_change_that_it_tells(store: Store) -> None:
    store.sync(a_schedule("nightly", notify=[OPS]))

    def undone(connection: Connection) -> None:
        tell(connection, "shop", [Told("run.long", "nightly", 1)])
        assert connection.scalar(select(delivery.c.kind)) == "run.long"
        raise ValueError("the change fails")

    with pytest.raises(ValueError, match="the change fails"):
        store.do(undone)
    assert told(store) == []


def test_targets_get_what_they_ask_for_and_each_thing_once(store: Store) -> None:
    notify = [{**OPS, "on": ["run.failed"]}, {**OPS, "on": ["run.failed", "run.late"]}, {"command": "mail ops"}]
    store.sync(a_schedule("nightly", notify=notify))
    store.do(tell, "shop", [Told("run.failed", "nightly", 1), Told("run.late", "nightly", 1)])
    found = store.rows(select(delivery.c.kind, delivery.c.target).order_by(delivery.c.id))
    ops, mail = '{"url": "https://ops.example.com/hook"}', '{"command": "mail ops"}'
    assert [tuple(row) for row in found] == [
        ("run.failed", ops),
        ("run.failed", mail),
        ("run.late", ops),
        ("run.late", mail),
    ]
