"""A start at a terminal: refused where it would supersede what living replicas run (rule 21)."""

import asyncio
import dataclasses

import pytest

from daemon.errors import WouldSupersede
from daemon.recovery import registry
from daemon.scheduling.deploys.bring import bring
from daemon.store import statements
from tests.support.entries import own_entry
from tests.support.store import a_schedule, an_application

from .world import NEW, OLD, Side, T, World, jobs_of

pytestmark = [pytest.mark.conformance, pytest.mark.anyio]

REVISED = dataclasses.replace(NEW, revision=1)


async def test_it_is_refused_with_who_runs_what_and_what_would_change_and_writes_nothing(world: World) -> None:
    await world.start(OLD, "a1")
    await world.start(OLD, "a2")
    newcomer = Side(world, NEW, "b1")
    with pytest.raises(WouldSupersede) as refused:
        await newcomer.rollout.join(guarded=True)
    said = str(refused.value)
    assert said.startswith("2 replicas on ")
    assert 'run generation 1 of "shop". These definitions would supersede theirs ' in said
    assert "(retired: goes; changed: changes; added: comes)" in said
    assert "needs --take-over (in Python, take_over=True)" in said
    assert "use another database (--database)" in said
    assert said.endswith("If your releases have a revision (LEASED_REVISION), a file without one supersedes nothing.")
    await world.pass_time(2 * T)
    assert (world.numbers(), world.defined()) == ([1], jobs_of(OLD))


async def test_a_higher_revision_is_refused_too_and_a_take_over_is_not(world: World) -> None:
    await world.start(OLD, "a1")
    newcomer = Side(world, REVISED, "b1")
    with pytest.raises(WouldSupersede) as refused:
        await newcomer.rollout.join(guarded=True)
    assert "LEASED_REVISION" not in str(refused.value)
    brought = await newcomer.rollout.join(take_over=True, guarded=True)
    assert brought is not None
    assert world.rules(REVISED)


async def test_what_supersedes_nobody_is_not_refused(world: World) -> None:
    first = await world.start(OLD, "a1")
    world.end(first)
    assert (await Side(world, NEW, "b1").rollout.join(guarded=True)) is not None, "the other one has ended"
    assert world.rules(NEW)
    await world.start(NEW, "b2")
    assert (await Side(world, NEW, "b3").rollout.join(guarded=True)) is not None, "the same definitions"
    assert (await Side(world, OLD, "a2").rollout.join(guarded=True)) is not None, "older ones"
    assert world.rules(NEW)


async def test_of_two_at_once_the_first_one_rules_and_the_second_is_refused(world: World) -> None:
    """Both have registered, and neither has seen the other: what is looked at is looked at where it is written."""
    sides = [Side(world, NEW, "a1"), Side(world, OLD, "b1")]
    for side in sides:
        world.store.do(registry.register, side.entry)
    found = await asyncio.gather(*(side.rollout.join(guarded=True) for side in sides), return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["Brought", "WouldSupersede"]
    assert world.numbers() == [1]


async def test_a_neighbour_whose_process_is_gone_does_not_count(world: World) -> None:
    dead = dataclasses.replace(own_entry("a1", OLD.name, OLD.digest), start_time=1)
    world.store.do(statements.replica.add, dataclasses.asdict(dead))
    world.store.do(bring, OLD, by="a1", holder="a1")
    newcomer = Side(world, NEW, "b1")
    with pytest.raises(WouldSupersede):
        await newcomer.rollout.join(guarded=True)
    world.store.do(registry.mark_proven_dead)
    assert (await newcomer.rollout.join(guarded=True)) is not None


async def test_many_schedules_are_counted_and_not_all_named(world: World) -> None:
    await world.start(OLD, "a1")
    many = an_application(a_schedule("stays"), *(a_schedule(f"new-{number}") for number in range(1, 8)))
    with pytest.raises(WouldSupersede, match=r"added: new-1, new-2, new-3, new-4, new-5 and 2 more"):
        await Side(world, many, "b1").rollout.join(guarded=True)
