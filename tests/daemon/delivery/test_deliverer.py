"""A replica delivers what is in the outbox: at once, in order, beside other targets that are slow."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from sqlalchemy import select

from daemon import AsyncRun, Schedules
from daemon.definitions.values.targets import Target, address_of
from daemon.delivery.deliverer import Deliverer
from daemon.delivery.sending import Sender
from daemon.scheduling.telling import Told, tell
from daemon.scheduling.telling import write as tell_all
from daemon.store.tables import delivery
from daemon.telemetry.facts import Fact, MessageSent, Note, SchedulesRetired
from daemon.testing import ManualReplica, ManualStore
from tests.support.manual import ONE_O_CLOCK, Gate
from tests.support.receiver import Receiver
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def a_shop(
    work: Any = None, environment: Mapping[str, str] = MappingProxyType({}), **settings: Any
) -> AsyncIterator[tuple[ManualReplica, Deliverer]]:
    """Open a replica whose deliverer is moved by the test."""

    async def export(run: AsyncRun) -> None:
        raise ValueError("no disk")

    schedules = Schedules("shop")
    schedules.add("nightly", cron="0 2 * * *", **settings).job(name="export", isolation="task")(work or export)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        context = replica.context
        deliverer = Deliverer(context, 60.0, Sender(environment, Path()))
        yield replica, deliverer


async def outcomes(replica: ManualReplica) -> list[str | None]:
    query = select(delivery.c.outcome).order_by(delivery.c.id)
    return await replica.store.read(lambda connection: list(connection.scalars(query)))


async def heard(replica: ManualReplica, deliverer: Deliverer) -> None:
    """Let it hear what the replica has told so far, and deliver."""
    for fact in replica.facts:
        deliverer.hear(fact)
    await deliverer.finish(LIMIT)


async def write(replica: ManualReplica, *told: Told) -> None:
    await replica.store.write(lambda connection: tell(connection, "shop", told))


def sent(facts: list[Fact]) -> list[tuple[str, str]]:
    return [(fact.kind, fact.outcome) for fact in facts if isinstance(fact, MessageSent)]


async def test_a_failure_is_told_in_the_words_of_why_and_a_monitor_gets_its_output(receiver: Receiver) -> None:
    ping = {"url": receiver.url, "style": "healthchecks"}
    async with a_shop(notify={"url": receiver.url}, ping=ping) as (replica, deliverer):
        await replica.run_once("nightly")
        await heard(replica, deliverer)
        assert sorted(sent(replica.facts)) == [("ping.fail", "delivered"), ("run.failed", "delivered")]
    message = next(json.loads(body) for body in receiver.bodies if body.startswith("{"))
    assert message["type"] == "run.failed"
    assert message["data"]["text"].startswith("run 1 of nightly failed ")
    assert message["data"]["text"].endswith('job "export" failed: ValueError: no disk')
    assert message["data"]["next"] == ["leased logs 1", "leased retry 1"]
    (ping_fail,) = [request for request in receiver.requests if "/fail?rid=" in request.path]
    assert "no disk" in ping_fail.body


async def test_a_start_is_pinged_while_the_run_is_at_work_and_before_its_end(receiver: Receiver) -> None:
    gate = Gate()
    async with a_shop(gate.passed, ping={"url": receiver.url, "style": "healthchecks"}) as (replica, deliverer):
        run_id = await replica.trigger("nightly")
        await replica.tick()
        await gate.entered()
        await heard(replica, deliverer)
        assert len(receiver.requests) == 1
        gate.open()
        await replica.wait_for(run_id)
        await deliverer.finish(LIMIT)
        assert await outcomes(replica) == []
    start, success = receiver.requests
    assert "/start?rid=" in start.path
    assert success.path == start.path.replace("/start", "")


async def test_a_slow_target_holds_up_no_other_one_and_is_asked_one_message_at_a_time() -> None:
    with Receiver() as slow, Receiver() as quick:
        slow.may_answer.clear()
        async with a_shop(notify=[{"url": slow.url}, {"url": quick.url}]) as (replica, deliverer):
            await write(replica, Told("run.long", "nightly"), Told("run.late", "nightly"))
            async with asyncio.timeout(LIMIT):
                while len(quick.requests) < 2:
                    await deliverer.step()
                    await asyncio.sleep(0.01)
            assert len(slow.requests) == 1
            slow.may_answer.set()
            await deliverer.finish(LIMIT)
            assert [json.loads(body)["type"] for body in slow.bodies] == ["run.long", "run.late"]
            assert await outcomes(replica) == ["delivered"] * 4


async def test_a_target_that_fails_is_asked_again_later_and_nothing_overtakes_what_waits(receiver: Receiver) -> None:
    async with a_shop(notify={"url": receiver.url}) as (replica, deliverer):
        await write(replica, Told("run.long", "nightly"), Told("run.late", "nightly"))
        receiver.status = 503
        await deliverer.finish(LIMIT)
        assert sent(replica.facts) == [("run.long", "failed")]
        replica.store.clock.advance(6.0)
        receiver.status = 200
        await deliverer.finish(LIMIT)
        assert [json.loads(body)["type"] for body in receiver.bodies] == ["run.long", "run.long", "run.late"]
        assert len({request.headers["Webhook-Id"] for request in receiver.requests}) == 2
        assert await outcomes(replica) == ["delivered", "delivered"]


async def test_a_target_that_is_gone_is_asked_no_more(receiver: Receiver) -> None:
    receiver.status = 410
    async with a_shop(notify={"url": receiver.url}) as (replica, deliverer):
        await write(replica, Told("run.long", "nightly"), Told("run.late", "nightly"))
        await deliverer.finish(LIMIT)
        await write(replica, Told("run.long", "nightly"))
        await deliverer.finish(LIMIT)
        assert await outcomes(replica) == ["gone"] * 3
        assert sent(replica.facts) == [("run.long", "gone")]
    assert len(receiver.requests) == 1


async def test_a_monitor_that_says_it_is_gone_is_pinged_again_later(receiver: Receiver) -> None:
    receiver.status = 410
    async with a_shop(ping=receiver.url) as (replica, deliverer):
        await write(replica, Told("ping.success", "nightly"), Told("ping.success", "nightly"))
        await deliverer.finish(LIMIT)
        assert sent(replica.facts) == [("ping.success", "failed")]
        replica.store.clock.advance(6.0)
        receiver.status = 200
        await deliverer.finish(LIMIT)
        assert await outcomes(replica) == []


async def test_a_monitor_that_was_down_gets_the_end_it_waits_for_the_last_failure_and_the_last_success(
    receiver: Receiver,
) -> None:
    ends = iter([True, True, False, True, False, True, True])

    async def export(run: AsyncRun) -> None:
        if not next(ends):
            raise ValueError("no disk")

    receiver.status = 503
    async with a_shop(export, ping={"url": receiver.url, "style": "healthchecks"}) as (replica, deliverer):
        for _ in range(6):
            await replica.run_once("nightly")
            await deliverer.finish(LIMIT)
            replica.store.clock.advance("1h")
        assert len(await outcomes(replica)) == 3
        receiver.requests.clear()
        receiver.status = 200
        await replica.run_once("nightly")
        replica.store.clock.advance("1h")
        await deliverer.finish(LIMIT)
        assert await outcomes(replica) == []
    assert ["/fail?" in request.path for request in receiver.requests] == [False, True, False]


async def test_all_that_has_waited_for_three_days_is_given_up_with_the_first_and_the_rest_is_tried(
    receiver: Receiver,
) -> None:
    receiver.status = 503
    async with a_shop(notify={"url": receiver.url}) as (replica, deliverer):
        await write(replica, *[Told("run.late", "nightly")] * 3)
        replica.store.clock.advance(3 * 86_400.0 + 1.0)
        await write(replica, Told("run.long", "nightly"))
        await deliverer.finish(LIMIT)
        assert await outcomes(replica) == ["given up"] * 3 + [None]
        assert sent(replica.facts) == [("run.late", "given up"), ("run.long", "failed")]


async def test_a_storm_is_a_few_messages_and_then_one_with_the_count(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.delivery.deliverer.MOST_OF_A_KIND", 2)
    async with a_shop(notify={"url": receiver.url}) as (replica, deliverer):
        await write(replica, *[Told("run.long", "nightly")] * 22, Told("run.late", "nightly"))
        await deliverer.finish(LIMIT)
        assert len(receiver.requests) == 2
        replica.store.clock.advance(61.0)
        await deliverer.finish(LIMIT)
        messages = [json.loads(body) for body in receiver.bodies]
        assert [message["data"]["folded"] for message in messages] == [0, 0, 19, 0]
        assert messages[-2]["data"]["text"].startswith("20 messages of the kind run.long; the first: ")
        assert messages[-1]["type"] == "run.late", "it came after them, and is no part of them"


async def test_where_nobody_is_to_be_told_it_looks_once_and_again_when_a_schedule_was_retired(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, sent_it = asyncio.Event(), asyncio.Event()
    async with a_shop() as (replica, deliverer):
        look, record = deliverer.step, deliverer._sent

        async def step() -> float | None:
            left = await look()
            looked.set()
            return left

        def was_sent(task: "asyncio.Task[None]") -> None:
            record(task)
            sent_it.set()

        monkeypatch.setattr(deliverer, "step", step)
        monkeypatch.setattr(deliverer, "_sent", was_sent)
        task = asyncio.create_task(deliverer.deliver_on())
        async with asyncio.timeout(LIMIT):
            await looked.wait()
            told = Told("schedule.retired", "weekly")
            to = [Target(address_of({"url": receiver.url}), frozenset([told.kind]))]
            await replica.store.write(lambda connection: tell_all(connection, "shop", [(told, to)]))
            deliverer.hear(SchedulesRetired("shop", ("weekly",)))
            await sent_it.wait()
        task.cancel()
        assert await outcomes(replica) == ["delivered"]


async def test_what_nobody_can_explain_any_more_is_told_all_the_same(receiver: Receiver) -> None:
    async with a_shop(notify={"url": receiver.url}) as (replica, deliverer):
        await write(replica, Told("run.failed", "nightly", 404))
        await deliverer.finish(LIMIT)
    assert json.loads(receiver.bodies[0])["data"]["text"] == "nightly: run.failed"


async def test_a_replica_that_lacks_a_variable_says_so_when_it_starts() -> None:
    target = {"url_env": "OPS_URL", "secret_env": "OPS_SECRET"}
    async with a_shop(environment={"OPS_URL_FILE": "gone"}, notify=target) as (replica, deliverer):
        task = asyncio.create_task(deliverer.deliver_on())
        await asyncio.sleep(0)
        task.cancel()
        said = [fact.text for fact in replica.facts if isinstance(fact, Note) and fact.is_warning]
        assert [text.partition(";")[0] for text in said] == [
            "the variable OPS_SECRET is not set",
            "the file of OPS_URL_FILE cannot be read: No such file or directory",
        ]
