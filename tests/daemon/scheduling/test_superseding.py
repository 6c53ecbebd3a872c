"""Definitions that are refused: at a terminal, where they would supersede what living replicas run; everywhere, where they
would retire all of it; and told everywhere else (rule 21).
"""

import asyncio
import dataclasses
from typing import Any

import pytest
from sqlalchemy import select

from daemon.definitions.application import Application
from daemon.errors import RetiresAll, WouldSupersede
from daemon.recovery import registry
from daemon.scheduling.deploys.bring import bring, stage, take_on_top
from daemon.store import statements
from daemon.store.tables import generation, schedule
from daemon.store.views.acting import read_activity
from tests.support.entries import own_entry
from tests.support.store import a_schedule, an_application

from .world import FOR_GOOD, NEW, OLD, Side, T, World, jobs_of

pytestmark = pytest.mark.anyio

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


async def test_a_neighbour_whose_process_is_gone_does_not_count(world: World) -> None:
    dead = dataclasses.replace(own_entry("a1", OLD.name, OLD.digest), start_time=1)
    world.store.do(statements.replica.add, dataclasses.asdict(dead))
    world.store.do(bring, OLD, by="a1", holder="a1")
    newcomer = Side(world, NEW, "b1")
    with pytest.raises(WouldSupersede):
        await newcomer.rollout.join(guarded=True)
    world.store.do(registry.mark_proven_dead)
    assert (await newcomer.rollout.join(guarded=True)) is not None


async def test_of_two_at_once_the_first_one_rules_and_the_second_is_refused(world: World) -> None:
    """Both have registered, and neither has seen the other: what is looked at is looked at where it is written."""
    sides = [Side(world, NEW, "a1"), Side(world, OLD, "b1")]
    for side in sides:
        world.store.do(registry.register, side.entry)
    found = await asyncio.gather(*(side.rollout.join(guarded=True) for side in sides), return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["Brought", "WouldSupersede"]
    assert world.numbers() == [1]


# Another file under the same application's name


OTHER = an_application(a_schedule("billing"))
"""Another team's, under the same name."""


def at(application: Application, revision: int) -> Application:
    return dataclasses.replace(application, revision=revision)


def retired(world: World) -> dict[str, str]:
    query = select(schedule).where(schedule.c.retired_at.is_not(None)).order_by(schedule.c.name)
    return {row.name: row.retired_by for row in world.store.rows(query)}


def acts(world: World) -> list[tuple[str, str, str | None]]:
    found = world.store.do(read_activity, limit=10)
    return [(one.act, one.acted_by, one.effect) for one in reversed(found)]


def replaced(world: World) -> list[tuple[int, int | None]]:
    rows: list[Any] = world.store.rows(select(generation).order_by(generation.c.number))
    return [(row.number, row.replaced) for row in rows]


@pytest.mark.parametrize("how", [bring, stage])
async def test_what_would_retire_all_that_living_replicas_run_is_refused_and_writes_nothing(
    world: World, how: Any
) -> None:
    await world.start(OLD, "a1")
    await world.start(OLD, "a2")
    options = {"holder": "b1"} if how is bring else {}
    with pytest.raises(RetiresAll) as refused:
        world.store.do(how, OTHER, by="b1", **options)
    said = str(refused.value)
    assert 'these definitions of "shop" would retire all that 2 replicas on ' in said
    assert "run: changes, goes, stays." in said
    assert 'was = "changes"' in said
    assert "--revision 1" in said
    assert "run `leased sync FILE --take-over` once; never put --take-over into a unit or manifest" in said
    await world.pass_time(2 * T)
    assert (world.numbers(), world.defined(), retired(world)) == ([1], jobs_of(OLD), {})


async def test_it_goes_by_what_living_replicas_run_and_not_by_what_the_database_has(world: World) -> None:
    """Of NEW, whose replica has gone, OTHER would keep nothing; of OLD, which lives, NEW had kept something."""
    await world.start(OLD, "a1")
    new = await world.start(NEW, "b1")
    world.end(new)
    with pytest.raises(RetiresAll, match="runs: changes, stays"):
        await world.start(OTHER, "c1")
    keeps = an_application(a_schedule("billing"), a_schedule("stays"))
    assert (await world.start(keeps, "c2")).rollout.standing() is None
    assert world.defined() == jobs_of(keeps)


async def test_one_that_supersedes_nobody_is_not_refused(world: World) -> None:
    await world.start(at(OLD, 41), "a1")
    other = await world.start(OTHER, "b1")
    assert "it has no revision, and generation 1 has 41" in other.said[-1]
    assert not world.store.do(stage, OTHER, by="ci").rules
    await world.pass_time(2 * T)
    assert (world.defined(), retired(world)) == (jobs_of(OLD), {})


async def test_a_rename_of_all_of_it_is_not_refused(world: World) -> None:
    """Nor is the next deploy beside replicas that know the former name only."""
    await world.start(an_application(a_schedule("nightly")), "a1")
    renamed = await world.start(an_application(a_schedule("daily", was="nightly")), "b1")
    assert renamed.warned == []
    assert (list(world.defined()), retired(world), acts(world)) == (["nightly"], {}, [])
    with pytest.raises(RetiresAll, match="run: daily"):
        world.store.do(bring, OTHER, by="c1", holder="c1")


@pytest.mark.parametrize("how", ["a take-over", "a higher revision", "no living replica"])
async def test_where_that_is_meant_or_nobody_lives_it_is_told_and_recorded(world: World, how: str) -> None:
    old = await world.start(OLD, "a1")
    told = "generation 2 shares no schedule with generation 1, and retired all of its schedules: changes, goes, stays"
    match how:
        case "a take-over":
            brought = world.store.do(take_on_top, OTHER, by="ann", why="a new team")
            warning = f"{told}; if this is intended, acknowledge it with `leased generations 2 --acknowledge`"
            assert brought.warning == warning
            expected = ("take-over", "ann", f"generation 2 is active; {told}")
        case "a higher revision":
            other = await world.start(at(OTHER, 1), "b1")
            assert f'application "shop": {told}; if this is intended' in other.said[-2]
            expected = ("deploy", "b1", told)
        case _:
            world.end(old)
            other = await world.start(OTHER, "b1")
            assert f'application "shop": {told}; if this is intended' in other.said[-2]
            expected = ("deploy", "b1", told)
    assert acts(world) == [expected]
    assert world.defined() == jobs_of(OTHER)
    assert retired(world) == dict.fromkeys(("changes", "goes", "stays"), "generation 2")
    assert replaced(world) == [(1, None), (2, 1)]


async def test_what_was_let_through_once_rules_again_after_it_was_away(world: World) -> None:
    """Only what has never ruled is refused: a restart of everything, or a crash loop, leaves what ruled."""
    old = await world.start(OLD, "a1")
    world.store.do(take_on_top, OTHER, by="ann")
    other = await world.start(OTHER, "b1")
    world.end(other)
    await world.pass_time(2 * T)
    assert world.rules(OLD, in_lieu=True)
    assert world.defined() == jobs_of(OLD) | jobs_of(OTHER)
    assert retired(world) == {}
    await world.start(OTHER, "b2")
    await world.pass_time(2 * T)
    assert world.rules(OTHER)
    assert "superseded by generation 2" in old.said[-1]


async def test_an_older_one_that_is_on_top_for_good_is_not_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.scheduling.generations.order.FOR_GOOD_AFTER", FOR_GOOD)
    await world.start(OLD, "a1")
    world.store.do(take_on_top, OTHER, by="ann")
    await world.pass_time(T + 2 * FOR_GOOD)
    assert world.rules(OLD)
    assert world.defined() == jobs_of(OLD)
    assert retired(world) == {"billing": "generation 3"}


async def test_a_deploy_that_retires_some_of_what_living_replicas_run_is_a_warning_and_an_act(world: World) -> None:
    old = await world.start(OLD, "a1")
    new = await world.start(NEW, "b1")
    said = 'application "shop": generation 2 retired schedules that live replicas of other definitions run: goes'
    assert said in new.warned
    assert old.warned == []
    assert acts(world) == [("deploy", "b1", "generation 2 retired goes")]
    assert (retired(world), replaced(world)) == ({"goes": "generation 2"}, [(1, None), (2, None)])


async def test_a_schedule_that_is_defined_again_is_retired_by_nobody(world: World) -> None:
    await world.start(OLD, "a1")
    await world.start(NEW, "b1")
    world.store.do(take_on_top, OLD, by="ann")
    assert world.store.schedules()["goes"].retired_by is None
