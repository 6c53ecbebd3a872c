"""The order of definitions that carry a revision (rule 21)."""

import dataclasses
from typing import Any

import pytest
from sqlalchemy import Connection, select

from daemon.definitions.application import Application
from daemon.errors import RevisionTaken
from daemon.operations.foresee import foresee
from daemon.scheduling.deploys.bring import bring, stage, take_on_top
from daemon.scheduling.generations.order import Generation, Order
from daemon.scheduling.generations.standing import state_of
from daemon.store import statements
from daemon.store.tables import generation
from daemon.store.views.acting import read_activity
from tests.support.store import a_schedule, an_application

from .world import FOR_GOOD, NEW, NEWER, OLD, STEP, T, World

pytestmark = pytest.mark.anyio


def at(application: Application, revision: int) -> Application:
    return dataclasses.replace(application, revision=revision)


def staged(world: World, application: Application) -> bool:
    """Sync it, and return whether it rules; what was foreseen must come of it."""

    def unit(connection: Connection) -> bool:
        foreseen = foresee(connection, application, by="sync", takeover_after=T).forecast
        brought = stage(connection, application, by="ci")
        own = brought.order.latest(application.digest)
        assert own is not None
        assert (foreseen.number, foreseen.state) == (own.number, state_of(brought.order, own))
        return brought.rules

    return world.store.do(unit)


def revisions(world: World) -> list[tuple[int, int | None]]:
    rows: list[Any] = world.store.rows(select(generation).order_by(generation.c.number))
    return [(row.number, row.revision) for row in rows]


async def test_a_higher_one_rules_at_once_and_a_lower_one_is_superseded_although_it_comes_later(world: World) -> None:
    await world.start(at(OLD, 41), "a1")
    await world.start(at(NEWER, 43), "c1")
    assert world.rules(NEWER)
    late = await world.start(at(NEW, 42), "b1")
    await world.pass_time(2 * T)
    assert world.rules(NEWER)
    assert "generation 3 is superseded by generation 2" in late.said[-1]
    assert "its revision is 42, and generation 2 has 43" in late.said[-1]
    assert "such as --revision 44" in late.said[-1]


async def test_one_that_forgets_it_supersedes_nobody_and_is_told_what_is_missing(world: World) -> None:
    await world.start(at(OLD, 41), "a1")
    forgetful = await world.start(NEW, "b1")
    await world.pass_time(2 * T)
    assert world.rules(OLD)
    assert "it has no revision, and generation 1 has 41" in forgetful.said[-1]
    assert not staged(world, NEWER)
    assert world.rules(OLD)
    reminded = await world.start(at(NEW, 42), "b2")
    assert world.rules(NEW)
    assert "generation 2 is active" in reminded.said[-1]


async def test_who_forgets_it_and_is_alone_stands_in_and_retires_nothing(world: World) -> None:
    await world.start(at(OLD, 41), "a1")
    world.kill(world.living[0])
    assert staged(world, NEWER)
    assert world.rules(NEWER, in_lieu=True)
    alone = await world.start(NEW, "b1")
    assert world.rules(NEW, in_lieu=True)
    assert "goes" in world.defined()
    assert "is the fallback for generation 1" in alone.said[-1]


@pytest.mark.parametrize("how", [bring, stage])
async def test_the_same_one_with_other_definitions_is_refused_and_writes_nothing(world: World, how: Any) -> None:
    await world.start(at(OLD, 41), "a1")
    options = {"holder": "b1"} if how is bring else {}
    with pytest.raises(
        RevisionTaken, match=r'revision 41 of "shop" already stands for other definitions: generation 1'
    ):
        world.store.do(lambda connection: how(connection, at(NEW, 41), by="b1", **options))
    assert revisions(world) == [(1, 41)]


async def test_a_raise_of_those_that_rule_makes_no_generation(world: World) -> None:
    await world.start(at(OLD, 41), "a1")
    await world.start(at(OLD, 45), "a2")
    assert revisions(world) == [(1, 45)]
    await world.start(at(OLD, 44), "a3")
    await world.start(OLD, "a4")
    assert revisions(world) == [(1, 45)]
    late = await world.start(at(NEW, 44), "b1")
    assert "superseded" in late.said[-1]


async def test_a_raise_of_superseded_ones_makes_them_current_at_once(world: World) -> None:
    """What was deployed as 41 comes back as 43."""
    await world.start(at(OLD, 41), "a1")
    await world.start(at(NEW, 42), "b1")
    await world.start(at(OLD, 43), "a2")
    assert world.rules(OLD)
    assert revisions(world) == [(1, 41), (2, 42), (3, 43)]
    await world.start(at(NEW, 42), "b2")
    await world.pass_time(2 * T)
    assert world.rules(OLD)


async def test_a_rollback_stands_in_first_and_is_for_good_then(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It then counts as the revision that it took over from; so that one does not come back by a restart."""
    monkeypatch.setattr("daemon.scheduling.generations.order.FOR_GOOD_AFTER", FOR_GOOD)
    new = await world.start(at(NEW, 42), "b1")
    await world.start(at(OLD, 41), "a1")
    assert world.rules(NEW)
    world.end(new)
    await world.pass_time(T + STEP)
    assert world.rules(OLD, in_lieu=True)
    await world.pass_time(FOR_GOOD)
    assert world.rules(OLD)
    assert revisions(world) == [(1, 42), (2, 41), (3, 42)]
    await world.start(at(NEW, 42), "b2")
    await world.pass_time(2 * T)
    assert world.rules(OLD)
    await world.start(at(NEWER, 43), "c1")
    assert world.rules(NEWER)


async def test_what_takes_over_needs_no_revision_and_counts_as_that_of_the_one_it_takes_over_from(world: World) -> None:
    await world.start(at(OLD, 41), "a1")
    await world.start(NEW, "b1", take_over=True)
    assert world.rules(NEW)
    assert revisions(world) == [(1, 41), (2, 41)]
    await world.start(at(OLD, 41), "a2")
    await world.pass_time(2 * T)
    assert world.rules(NEW)
    world.store.do(take_on_top, NEW, by="again")
    assert revisions(world) == [(1, 41), (2, 41)]
    await world.start(at(OLD, 42), "a3")
    assert world.rules(OLD)


async def test_what_takes_over_leaves_a_higher_revision_that_is_staged_the_next(world: World) -> None:
    await world.start(at(OLD, 41), "a1")
    assert not staged(world, at(NEWER, 43))
    world.store.do(take_on_top, at(NEW, 42), by="somebody")
    assert world.rules(NEW)
    await world.start(at(NEWER, 43), "c1")
    assert world.rules(NEWER)


async def test_one_that_was_too_high_by_mistake_goes_by_a_take_over_and_the_next_one_follows_by_itself(
    world: World,
) -> None:
    mistaken = await world.start(at(OLD, 20261129), "a1")
    meant = await world.start(at(NEW, 43), "b1")
    assert meant.warned == [], "a replica runs it"
    world.end(mistaken)
    await world.pass_time(STEP)
    (warned,) = meant.warned
    assert "held back by revision 20261129, which no replica runs" in warned
    assert "`leased sync FILE --take-over`" in warned
    await world.pass_time(T)
    assert world.rules(NEW, in_lieu=True)
    assert "held back by revision 20261129, which no replica runs" in meant.warned[-1]

    brought = world.store.do(take_on_top, at(NEW, 43), by="ann", why="a slip in CI")
    assert brought.report is not None
    assert world.rules(NEW)
    assert revisions(world) == [(1, 20261129), (2, 43)]
    (act,) = (one for one in world.store.do(read_activity, limit=9) if one.act == "take-over")
    assert (act.acted_by, act.why) == ("ann", "a slip in CI")
    assert act.effect == "generation 2 is active; no longer counts: revision 20261129; generation 2 retired goes"
    await world.start(at(NEWER, 44), "c1")
    assert world.rules(NEWER)
    await world.start(at(OLD, 20261129), "a2")
    await world.pass_time(2 * T)
    assert world.rules(NEWER)
    with pytest.raises(RevisionTaken):
        world.store.do(take_on_top, at(an_application(a_schedule("stays")), 20261129), by="ann")


async def test_one_that_was_too_high_goes_although_its_replicas_and_those_of_the_same_definitions_live(
    world: World,
) -> None:
    """What was wrong is only the number: the same definitions come with the right one."""
    await world.start(at(OLD, 20261129), "a1")
    world.store.do(take_on_top, at(OLD, 44), by="ann")
    assert revisions(world) == [(1, 20261129), (2, 44)]
    again = await world.start(at(OLD, 20261129), "a2")
    assert revisions(world) == [(1, 20261129), (2, 44)], "it does not come back by a restart"
    assert "generation 2 is active" in again.said[-1]
    await world.start(at(OLD, 45), "a3")
    assert revisions(world) == [(1, 20261129), (2, 45)]
    await world.start(at(NEW, 46), "b1")
    assert world.rules(NEW)


async def test_one_given_by_mistake_where_none_have_it_goes_by_a_take_over_too(world: World) -> None:
    mistaken = await world.start(at(OLD, 1), "a1")
    world.end(mistaken)
    await world.start(NEW, "b1")
    world.store.do(take_on_top, NEW, by="ann")
    assert (world.rules(NEW), revisions(world)) == (True, [(1, 1), (2, None)])
    await world.start(NEWER, "c1")
    assert world.rules(NEWER)


async def test_a_take_over_is_recorded_once(world: World) -> None:
    await world.start(OLD, "a1")
    for _ in range(2):
        await world.start(NEW, "b1", take_over=True)
    assert [one.act for one in world.store.do(read_activity, limit=9)] == ["take-over"]


async def test_an_older_one_that_stands_in_is_not_held_back(world: World) -> None:
    old = await world.start(at(OLD, 41), "a1")
    new = await world.start(at(NEW, 42), "b1")
    world.end(new)
    await world.pass_time(2 * T)
    assert world.rules(OLD, in_lieu=True)
    assert old.warned == []


async def test_it_is_seen_however_many_have_come_without_one(world: World) -> None:
    await world.start(at(OLD, 41), "a1")
    for number in range(2, 80):
        values = {"digest": f"d{number}", "brought_by": "somebody", "run_digests": "{}"}
        world.store.do(statements.generation.add, "shop", values)
    await world.start(NEW, "b1")
    assert world.rules(OLD)
    with pytest.raises(RevisionTaken):
        await world.start(at(NEWER, 41), "c1")


def test_it_comes_before_the_sequence() -> None:
    order = Order(
        [
            Generation(1, "a", is_staged=False, rules=False, revision=7),
            Generation(2, "b", is_staged=False, rules=False, revision=0),
            Generation(3, "c", is_staged=False, rules=True),
        ]
    )
    assert [one.number for one in sorted(order.generations, key=lambda one: one.rank)] == [3, 2, 1]
    assert order.newest == order.generations[0]
