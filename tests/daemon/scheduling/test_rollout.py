"""Which definitions rule while replicas with different files come and go (rule 21).

T is how long the newer ones must have been away; time passes by the replicas' own clock, in steps of
their signs of life.
"""

import asyncio
from typing import Any

import pytest

from daemon.cli.bring import bring_first
from daemon.definitions.application import Application
from daemon.definitions.schedule import Schedule
from daemon.recovery import registry
from daemon.scheduling.deploys.bring import Brought, bring, carry_out, stage, take_on_top
from daemon.store.tables import replica as replicas
from tests.support.manual import until
from tests.support.store import an_application

from .world import LONG_AGO, NEW, NEWER, OLD, STEP, Side, T, World, jobs_of

pytestmark = pytest.mark.anyio


async def test_an_old_replica_that_restarts_in_the_midst_of_a_rollout_changes_nothing(world: World) -> None:
    old = await world.start(OLD, "a1")
    await world.start(NEW, "b1")
    world.kill(old)
    again = await world.start(OLD, "a2")
    assert world.rules(NEW)
    await world.pass_time(2 * T)
    world.end(again)
    await world.pass_time(2 * T)
    assert world.defined() == jobs_of(NEW)
    assert world.numbers() == [1, 2]


async def test_old_ones_stand_in_when_no_new_one_has_been_ready_for_long_and_retire_nothing(world: World) -> None:
    await world.start(OLD, "a1")
    new = await world.start(NEW, "b1")
    world.end(new)
    await world.pass_time(T - 2 * STEP)
    assert world.rules(NEW)
    await world.pass_time(3 * STEP)
    assert world.rules(OLD, in_lieu=True)
    assert world.defined() == jobs_of(OLD) | {"comes": ["work"]}
    assert world.numbers() == [1, 2]


async def test_a_crash_loop_does_not_keep_the_old_ones_from_standing_in(world: World) -> None:
    """A life that is shorter than T resets nothing."""
    await world.start(OLD, "a1")
    for life in range(8):
        new = await world.start(NEW, f"b{life}")
        await world.pass_time(2 * STEP)
        world.kill(new)
        await world.pass_time(2 * STEP)
    assert world.rules(OLD, in_lieu=True)


async def test_the_newer_ones_rule_again_when_one_has_been_ready_for_long(world: World) -> None:
    await world.start(OLD, "a1")
    new = await world.start(NEW, "b1")
    world.kill(new)
    await world.pass_time(2 * T)
    assert world.rules(OLD, in_lieu=True)
    back = await world.start(NEW, "b2")
    assert "generation 2 is on standby" in back.said[-1]
    await world.pass_time(T - 2 * STEP)
    assert world.rules(OLD, in_lieu=True)
    await world.pass_time(3 * STEP)
    assert world.rules(NEW)
    assert world.defined() == jobs_of(NEW)
    await world.pass_time(2 * T)
    assert world.rules(NEW)


async def test_nothing_changes_hands_by_a_clock_that_has_just_jumped(world: World) -> None:
    old = await world.start(OLD, "a1")
    new = await world.start(NEW, "b1")
    world.end(new)
    old.trusted = False
    await world.pass_time(2 * T)
    assert world.rules(NEW)
    old.trusted = True
    await world.pass_time(T - STEP)
    assert world.rules(NEW)
    await world.pass_time(2 * STEP)
    assert world.rules(OLD, in_lieu=True)


async def test_new_definitions_wait_for_a_clock_that_can_be_trusted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is added or changed counts from then on, and what is due by the old ones is planned until then."""
    monkeypatch.setattr("daemon.scheduling.deploys.rollout._LOOK_AGAIN", 0.001)
    await world.start(OLD, "a1")
    same, new, leaving = (Side(world, of, name) for of, name in ((OLD, "a2"), (NEW, "b1"), (NEW, "b2")))
    for side in (same, new, leaving):
        side.trusted = False
        world.store.do(registry.register, side.entry)
    assert await same.rollout.join() is not None, "it changes nothing"
    assert await leaving.rollout.join(stopping=lambda: True) is None
    joining = asyncio.create_task(new.rollout.join())
    await until(lambda: new.asked > 3, "it has looked again")
    assert world.rules(OLD)
    assert not joining.done()
    new.trusted = True
    assert (await joining) is not None
    assert world.rules(NEW)


async def test_definitions_are_not_brought_by_a_clock_that_jumps_in_the_midst(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have waited long for its turn in the database."""
    await world.start(OLD, "a1")
    new = Side(world, NEW, "b1")
    world.store.do(registry.register, new.entry)

    def bring_and_jump(*arguments: Any, **named: Any) -> Brought:
        new.trusted = False
        return bring(*arguments, **named)

    with monkeypatch.context() as jumping:
        jumping.setattr("daemon.scheduling.deploys.rollout.bring", bring_and_jump)
        assert await new.rollout.join(stopping=lambda: True) is None
    assert world.rules(OLD)
    new.trusted = True
    assert await new.rollout.join() is not None
    assert world.rules(NEW)


async def test_definitions_do_not_change_hands_by_a_clock_that_jumps_in_the_midst(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await world.start(OLD, "a1")
    world.end(await world.start(NEW, "b1"))

    def move_and_jump(*arguments: Any) -> Brought:
        old.trusted = False
        return carry_out(*arguments)

    with monkeypatch.context() as jumping:
        jumping.setattr("daemon.scheduling.deploys.rollout.carry_out", move_and_jump)
        await world.pass_time(2 * T)
    assert not old.trusted, "it had tried"
    assert world.rules(NEW)
    old.trusted = True
    await world.pass_time(2 * T)
    assert world.rules(OLD, in_lieu=True)


async def test_a_file_that_starts_where_nobody_lives_rules_at_once(world: World) -> None:
    """A developer reverts the file, and reverts that."""
    for turn, application in enumerate([OLD, NEW, OLD, NEW, OLD]):
        side = await world.start(application, f"h{turn}")
        assert world.ruler.digest == application.digest
        world.end(side)
    assert world.numbers() == [1, 2]


async def test_another_old_one_that_starts_beside_an_old_one_does_not_stand_in_any_sooner(world: World) -> None:
    await world.start(OLD, "a1")
    new = await world.start(NEW, "b1")
    world.kill(new)
    await world.start(OLD, "a2")
    assert world.rules(NEW)


async def test_how_long_it_was_ready_before_it_was_cut_off_does_not_count(world: World) -> None:
    await world.start(OLD, "a1")
    new = await world.start(NEW, "b1")
    await world.pass_time(4 * T)
    world.kill(new)
    new.rollout.lose_contact()
    await world.pass_time(2 * T)
    assert world.rules(OLD, in_lieu=True)
    world.living.append(new)
    await world.pass_time(T - STEP)
    assert world.rules(OLD, in_lieu=True)
    await world.pass_time(2 * STEP)
    assert world.rules(NEW)


async def test_an_outage_of_the_database_changes_nothing_even_if_it_is_short(world: World) -> None:
    """The old replica has noticed it, and is the first that is back."""
    old, new = await world.start(OLD, "a1"), await world.start(NEW, "b1")
    for _ in range(3):
        world.store.shift(replicas, seen_at=-LONG_AGO)
        old.rollout.lose_contact()
        for side in (old, new):
            await side.sign_of_life(14.0)
    assert not any("is the fallback for" in said and "if no newer replica" not in said for said in old.said)
    assert world.rules(NEW)


async def test_where_all_restart_nothing_changes_hands_although_an_old_one_is_the_first(world: World) -> None:
    for side in [await world.start(OLD, "a1"), await world.start(NEW, "b1")]:
        world.end(side)
    await world.start(OLD, "a2")
    assert world.rules(OLD, in_lieu=True), "it found nobody"
    await world.pass_time(T - STEP)
    await world.start(NEW, "b2")
    assert world.rules(NEW)
    assert world.numbers() == [1, 2]


async def test_the_newest_that_lives_stands_in(world: World) -> None:
    await world.start(OLD, "a1")
    await world.start(NEW, "b1")
    newest = await world.start(NEWER, "c1")
    world.kill(newest)
    await world.pass_time(T + 2 * STEP)
    assert world.rules(NEW, in_lieu=True)


async def test_definitions_that_are_synced_beside_others_wait_for_a_replica_of_their_own(world: World) -> None:
    await world.start(OLD, "a1")
    staged = world.store.do(stage, NEW, by="ci")
    assert (staged.report, staged.rules) == (None, False)
    await world.pass_time(2 * T)
    assert world.rules(OLD)
    await world.start(NEW, "b1")
    assert world.rules(NEW)
    assert world.numbers() == [1, 2]


async def test_a_sync_of_those_that_stand_in_does_not_put_them_on_top_of_a_newer_one_that_is_back(world: World) -> None:
    await world.start(OLD, "a1")
    new = await world.start(NEW, "b1")
    world.kill(new)
    await world.pass_time(2 * T)
    await world.start(NEW, "b2")
    assert world.store.do(stage, OLD, by="ci").rules
    assert world.rules(OLD, in_lieu=True)
    assert world.defined() == jobs_of(OLD) | {"comes": ["work"]}
    await world.pass_time(2 * T)
    assert world.rules(NEW)
    assert world.numbers() == [1, 2]


async def test_what_a_supervisor_is_to_run_now_may_be_new_with_its_definitions(world: World) -> None:
    await world.start(OLD, "a1")
    await asyncio.to_thread(bring_first, NEW, world.store.url, ["comes"])  # a command has a loop of its own
    assert world.rules(NEW)
    assert world.claimed_by(NEW) == ["comes"]


async def test_older_ones_are_put_on_top_on_request(world: World) -> None:
    await world.start(OLD, "a1")
    new = await world.start(NEW, "b1")
    await world.start(OLD, "a2", take_over=True)
    assert world.rules(OLD)
    await world.pass_time(2 * T)
    assert "generation 2 is superseded by generation 3" in new.said[-1]
    assert world.defined() == jobs_of(OLD)
    world.store.do(take_on_top, NEW, by="somebody")
    assert world.rules(NEW)
    assert world.numbers() == [1, 2, 3, 4]


async def test_what_differs_from_host_to_host_is_no_other_generation(world: World) -> None:
    def on(host: str) -> Application:
        job = {"name": "work", "command": "true", "cwd": f"/srv/{host}", "env": {"HOST": host}}
        return an_application(Schedule.model_validate({"name": "sync", "every": 60, "jobs": [job]}))

    await world.start(on("one"), "a1")
    await world.start(on("two"), "a2")
    assert world.numbers() == [1]
