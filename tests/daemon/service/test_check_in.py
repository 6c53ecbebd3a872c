"""The check-in of a replica: progress that is saved, and the sign that it lives."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import AsyncMock, Mock, patch

import pytest
from sqlalchemy import Connection, Row, delete, select, update

from daemon.jobs.output import Transcript
from daemon.jobs.reports import Progress
from daemon.recovery import registry
from daemon.service import check_in
from daemon.store.tables import delivery
from daemon.store.tables import replica as replicas
from daemon.store.tables import run as runs
from daemon.telemetry.facts import JobPrinted, JobProgressed, RunLate, RunLong
from daemon.testing import ManualReplica, ManualStore
from lease.errors import StoreUnavailable
from tests.support.entries import own_entry
from tests.support.manual import ONE_O_CLOCK, CountingStore, Gate, a_shop, facts_of, job_runs, side_by_side, told, until

pytestmark = pytest.mark.anyio

FAULT = "internal error in leased; runs continue: ZeroDivisionError"


OPS = {"command": "mail ops"}


async def messages(store: ManualStore) -> list[str]:
    """Return the kinds of the messages that are to be sent."""
    return await store.read(lambda connection: list(connection.scalars(select(delivery.c.kind))))


@asynccontextmanager
async def beating(replica: ManualReplica) -> AsyncIterator[Mock]:
    """Let its check-in beat; the calls of what is yielded are its rounds."""
    runs = replica.replica.runs
    with patch.object(runs, "take_progress", wraps=runs.take_progress) as rounds:
        beat = asyncio.create_task(replica.replica._check_in.beat())
        try:
            yield rounds
        finally:
            beat.cancel()


async def comes_round(rounds: Mock) -> None:
    before = rounds.call_count
    await until(lambda: rounds.call_count > before + 3, "it has come round")


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second is a millisecond, and the replica never touches its entry unless a test has it do so each time."""
    monkeypatch.setattr(check_in, "_SAVE_EVERY", 0.001)
    monkeypatch.setattr(check_in, "TOUCH_EVERY", 1e9)


async def entries(store: ManualStore) -> list[Row[Any]]:
    return await store.read(lambda connection: list(connection.execute(select(replicas))))


@pytest.mark.usefixtures("fast")
async def test_how_far_jobs_have_come_is_saved_while_they_run() -> None:
    gate = Gate()

    async def work(run: Any) -> None:
        run.progress(3, 10, "customers")
        await gate.passed()

    async with CountingStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(work, overlap="allow")) as replica:
        for _ in range(2):
            await replica.trigger("nightly")
        await replica.tick()
        await until(lambda: len(facts_of(replica, JobProgressed)) == 2, "both jobs have reported")
        store.writes = 0
        async with beating(replica) as rounds:
            await comes_round(rounds)
        assert store.writes == 1, "each is taken once, and all together"
        assert [(row.done, row.total, row.message) for row in await job_runs(store)] == [(3, 10, "customers")] * 2


async def test_it_shows_that_the_replica_lives() -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        store.clock.advance("1m")
        await replica.replica._check_in.touch()
        (row,) = await entries(store)
        assert (row.seen_at, row.state) == (store.clock.now, "running")


@pytest.mark.usefixtures("fast")
async def test_that_it_drains_is_shown_with_the_next_beat() -> None:
    async with CountingStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        store.writes = 0
        async with beating(replica) as rounds:
            replica.replica.drain()
            await until(lambda: store.writes, "it has touched its entry")
            await comes_round(rounds)
        assert [row.state for row in await entries(store)] == ["draining"]
        assert store.writes == 1, "it is shown once"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no death can be proven")
async def test_with_its_sign_of_life_it_records_that_a_neighbour_is_dead() -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        gone = replace(own_entry("gone", "another application"), start_time=1)
        await store.write(lambda connection: registry.register(connection, gone))
        await replica.replica._check_in.touch()
        states = {row.holder: row.state for row in await entries(store)}
        assert states == {replica.context.client.holder: "running", "gone": "dead"}


async def test_with_its_sign_of_life_one_replica_tells_once_which_run_is_late_to_finish() -> None:
    async with side_by_side(a_shop(finish_by="4h", notify=OPS), a_shop(finish_by="4h", notify=OPS)) as (
        store,
        (replica, other),
    ):
        run_id = await replica.trigger("nightly")
        for passed, expected in (("4h", 0), ("1s", 1), ("1h", 1)):
            store.clock.advance(passed)
            for one in (replica, other):
                await one.replica._check_in.touch()
            late = [*facts_of(replica, RunLate), *facts_of(other, RunLate)]
            assert [(fact.run_id, fact.schedule, fact.state) for fact in late] == [
                (run_id, "nightly", "pending")
            ] * expected
            assert await messages(store) == ["run.late"] * expected


async def test_the_replica_that_executes_a_run_tells_once_for_each_level_that_it_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = Gate()

    async def work(_run: Any) -> None:
        await gate.passed()

    shop = a_shop(work, long={"warn": "5m", "critical": "1h", "emergency": "2h"}, notify=OPS)
    async with side_by_side(shop, shop) as (store, (replica, other)):
        run_id = await replica.trigger("nightly")
        await replica.tick()
        await gate.entered()
        monkeypatch.setattr(other.replica.runs, "ids", lambda: [run_id])
        for passed, expected in (
            ("5m", []),
            ("1s", ["warn"]),
            ("50m", ["warn"]),
            ("2h", ["warn", "emergency"]),
            ("9h", ["warn", "emergency"]),
        ):
            store.clock.advance(passed)
            for one in (replica, other):
                await one.replica._check_in.touch()
            told = facts_of(replica, RunLong)
            assert [(fact.run_id, fact.schedule, fact.level) for fact in told] == [
                (run_id, "nightly", level) for level in expected
            ]
            assert await messages(store) == ["run.long"] * len(expected)
        assert facts_of(other, RunLong) == []
        taken_over = update(runs).values(holder=other.context.client.holder)
        await store.write(lambda connection: connection.execute(taken_over))
        await other.replica._check_in.touch()
        assert facts_of(other, RunLong) == [], "it was told before it was taken over"
        gate.open()


@pytest.mark.parametrize("trusted", [(False,), (True, False)])
async def test_by_a_clock_that_jumps_no_run_is_late_but_the_replica_lives(trusted: Sequence[bool]) -> None:
    """A late run is reported once, and so not by a clock that is ahead for a moment."""
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(finish_by="4h")) as replica:
        await replica.trigger("nightly")
        store.clock.advance("5h")
        answers = iter([*trusted, True, True])
        replica.replica.rollout.trusts = lambda _: next(answers)
        await replica.replica._check_in.touch()
        assert facts_of(replica, RunLate) == []
        (entry,) = await entries(store)
        assert entry.seen_at == store.clock.now
        await replica.replica._check_in.touch()
        assert len(facts_of(replica, RunLate)) == 1


async def test_a_replica_whose_entry_was_deleted_registers_again() -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:

        def forget(connection: Connection) -> None:
            connection.execute(delete(replicas))

        await store.write(forget)
        await replica.replica._check_in.touch()
        assert [row.holder for row in await entries(store)] == [replica.context.client.holder]


@pytest.mark.usefixtures("fast")
async def test_progress_that_cannot_be_saved_holds_up_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row is locked, say: others would take this replica for dead."""
    monkeypatch.setattr(check_in, "TOUCH_EVERY", -1)

    async def unavailable() -> None:
        raise StoreUnavailable("the row is locked")

    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        monkeypatch.setattr(replica.replica._check_in, "_save", unavailable)
        monkeypatch.setattr(replica.replica.rollout, "follow", follow := AsyncMock())
        async with beating(replica):
            await until(lambda: follow.await_count > 2, "it touches its entry, and looks")


@pytest.mark.usefixtures("fast")
async def test_neither_an_outage_nor_an_error_of_ours_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others would take this replica for dead."""
    monkeypatch.setattr(check_in, "TOUCH_EVERY", -1)
    async with (
        CountingStore(ONE_O_CLOCK) as store,
        ManualReplica(store, a_shop()) as replica,
        beating(replica) as rounds,
    ):
        monkeypatch.setattr(replica.replica.rollout, "lose_contact", lost := Mock())
        store.available = False
        await comes_round(rounds)
        assert lost.called, "no time counts meanwhile"
        assert told(replica.facts, "an error of leased itself") == []
        store.available = True
        with monkeypatch.context() as patched:
            patched.setattr(registry, "touch", lambda *_: 1 / 0)
            await until(lambda: told(replica.facts, FAULT), "the error is reported")
        store.writes = 0
        await until(lambda: store.writes > 2, "it has touched its entry")


# What jobs print


async def printing(replica: ManualReplica, gate: Gate) -> None:
    await replica.trigger("nightly")
    await replica.tick()
    await gate.entered()


@pytest.mark.usefixtures("fast")
async def test_what_jobs_print_is_saved_while_they_run_and_only_if_there_is_something_new() -> None:
    gate = Gate()

    async def work(run: Any) -> None:
        run.log.info("on its way")
        await gate.passed()

    async with CountingStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(work)) as replica:
        await printing(replica, gate)
        await until(lambda: facts_of(replica, JobPrinted), "its line has come")
        async with beating(replica) as rounds:
            store.writes = 0
            await comes_round(rounds)
        assert store.writes == 1
        (run,) = await replica.runs()
        assert run.jobs[0].log_tail == "on its way\n", "although the job is at work"
        gate.open()
        run = await replica.wait_for(run.run.run_id)
        assert run.jobs[0].log_tail == "on its way\n"


async def test_a_set_of_output_is_bounded_and_each_job_comes_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_in, "_MOST_OUTPUT", 250)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        printed = {number: Transcript() for number in range(1, 6)}
        sets = []
        for _ in range(5):
            for transcript in printed.values():
                transcript.add("x" * 99 + "\n")
            chosen = replica.replica._check_in._next_set(printed)
            for number, piece in chosen.items():
                printed[number].saved(piece)
            sets.append(list(chosen))
        assert sets[:3] == [[1, 2], [3], [4]], "what has waited is longer by then"
        assert {number for chosen in sets for number in chosen} == {1, 2, 3, 4, 5}


async def test_output_that_cannot_be_saved_is_tried_again_and_keeps_no_progress_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over a link that is too slow for it, say."""
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        check, transcript = replica.replica._check_in, Transcript()
        monkeypatch.setattr(replica.replica.runs, "transcripts", lambda: {1: transcript})
        monkeypatch.setattr(replica.replica.runs, "take_progress", lambda: {1: Progress(1)})
        transcript.add("a line\n")
        piece = transcript.unsaved()
        store.available = False
        with pytest.raises(StoreUnavailable):
            await check._save()
        store.available = True
        await check._save()
        assert transcript.unsaved() is piece, "this time without it"
        await check._save()
        assert transcript.unsaved() is None, "job run 1 is not there: refused, and not tried for ever"
