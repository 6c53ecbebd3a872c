"""`require_revision`: runs belong to the replicas of the highest revision of which one is ready (rule 22)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from daemon import Schedules
from daemon.errors import DefinitionError
from daemon.scheduling.deploys.bring import carry_out, take_on_top
from daemon.scheduling.generations.order import Move
from daemon.store.tables import replica as replicas
from daemon.store.views.replicas import read_replicas
from daemon.telemetry.facts import Note
from daemon.testing import ManualReplica, ManualStore
from lease.database.dialects import later, now
from tests.support.manual import ONE_O_CLOCK, add_schedule, facts_of, nothing, side_by_side

pytestmark = pytest.mark.anyio


def revised(revision: int, *jobs: Callable[..., Any], required: bool = True, name: str = "nightly") -> Schedules:
    schedules = Schedules("shop", revision=revision, require_revision=required)
    add_schedule(schedules, name, *jobs)
    return schedules


def test_what_requires_a_revision_must_have_one() -> None:
    schedules = Schedules("shop", require_revision=True)
    add_schedule(schedules, "nightly")
    application = schedules.application(Path("/srv/shop.py"), "/srv/shop.py")
    with pytest.raises(
        DefinitionError, match=r"shop\.py: require_revision: it is set, but these definitions have no rev"
    ):
        application.revised(None)
    assert application.revised(42).require_revision


async def work(replica: ManualReplica) -> list[int]:
    return [detail.run.run_id for detail in await replica.work()]


async def look(replica: ManualReplica) -> None:
    """Give a sign of life, which looks who lives."""
    rollout, context = replica.replica.rollout, replica.context
    await rollout.follow(await context.database.read(rollout.look))


def notes(replica: ManualReplica) -> list[str]:
    return [note.text for note in facts_of(replica, Note) if "claim" in note.text]


async def test_a_straggler_claims_nothing_as_long_as_a_replica_of_a_higher_one_is_ready() -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, revised(43)) as straggler:
        async with ManualReplica(store, revised(44)) as newer:
            first = await newer.trigger("nightly")
            agenda = await straggler.tick()
            assert straggler.replica.runs.claimed == []
            assert agenda is not None
            assert not agenda.available, "or its loop would look for it all the time"
            assert notes(straggler) == [f'application "shop": {straggler.replica.required.sentence()}']
            assert "its revision is 43, a replica of revision 44 is ready" in notes(straggler)[0]
            assert straggler.replica.rollout.standing() == straggler.replica.required.sentence()
            assert await work(newer) == [first]
            second = await newer.trigger("nightly")
            await newer.stop()
            await look(straggler)
            assert await work(straggler) == [], "one that drains is not gone: its next sign of life says so"
        await look(straggler)
        assert await work(straggler) == [second]
        assert notes(straggler)[1:] == [
            'application "shop": no replica of a higher revision than 43 is ready; this one claims runs'
        ]


async def test_a_revision_that_a_take_over_made_count_no_more_holds_nobody_up_and_claims_nothing() -> None:
    async with side_by_side(revised(20261129), revised(44, name="meant")) as (store, (mistaken, meant)):
        waiting = await mistaken.trigger("nightly")
        own = meant.application
        await store.write(lambda c: take_on_top(c, own, by="ann"))
        await look(meant)
        requested = await meant.trigger("meant")
        assert await work(meant) == [requested]
        await look(mistaken)
        assert "its revision is 20261129, which no longer counts, a replica of revision 44" in notes(mistaken)[0]
        lines = await store.read(lambda c: read_replicas(c, application="shop"))
        assert (await meant.read(waiting)).run.state == "cancelled", "nobody is left who would run it"
        assert {one.revision: one.held_back_by for one in lines} == {20261129: 44, 44: None}


async def test_after_a_rollback_for_good_one_of_the_newer_that_comes_back_holds_nobody_up() -> None:
    """Its generation is superseded, although its revision is higher."""
    async with side_by_side(revised(43), revised(44, nothing, nothing)) as (store, (older, newer)):
        moves: Iterator[Move | None] = iter(["put on top", None])
        await store.write(lambda c: carry_out(c, older.application, "web1:1", None, lambda *_: next(moves)))
        run_id = await older.trigger("nightly")
        assert await work(older) == [run_id]
        assert notes(older) == []
        lines = await store.read(lambda c: read_replicas(c, application="shop"))
        assert {one.revision: one.held_back_by for one in lines} == {43: None, 44: None}
        async with ManualReplica(store, revised(45, nothing)):
            await look(older)
            assert "a replica of revision 45 is ready" in notes(older)[0]
            lines = await store.read(lambda c: read_replicas(c, application="shop"))
            assert {one.revision: one.held_back_by for one in lines} == {43: 45, 44: 45, 45: None}
        assert newer.replica.required.higher is None


async def test_one_that_is_never_ready_or_was_not_seen_for_long_holds_nobody_up() -> None:
    async with side_by_side(revised(43), revised(44)) as (store, (older, newer)):
        of_newer = update(replicas).where(replicas.c.holder == newer.context.client.holder)
        for values in ({"ready_at": None}, {"ready_at": now(), "seen_at": later(now(), -21.0)}):
            await store.write(lambda connection, values=values: connection.execute(of_newer.values(**values)))  # type: ignore[misc]
            run_id = await older.trigger("nightly")
            assert await work(older) == [run_id]


async def test_without_it_a_revision_keeps_nobody_from_what_both_have() -> None:
    async with side_by_side(revised(43, required=False), revised(44, required=False)) as (_, (older, _)):
        run_id = await older.trigger("nightly")
        assert await work(older) == [run_id]


async def test_what_waits_by_the_definition_of_a_lower_one_is_adopted_although_that_lives() -> None:
    """It would wait for a replica that claims nothing."""
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, revised(43, nothing, nothing)) as older:
        run_id = await older.trigger("nightly")
        async with ManualReplica(store, revised(44)) as newer:
            assert await work(older) == []
            assert await work(newer) == [run_id]


async def test_what_waits_of_a_schedule_that_the_higher_one_does_not_have_is_over() -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, revised(43)) as older:
        run_id = await older.trigger("nightly")
        async with ManualReplica(store, revised(44, name="weekly")) as newer:
            assert await work(older) == []
            (ended,) = [run for run in await older.runs() if run.run.run_id == run_id]
            assert (ended.state, ended.run.reason) == ("cancelled", "retired")
            assert await work(newer) == []
