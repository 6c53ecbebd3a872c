"""Which replicas run what waits while the definitions of its schedule change, and who adopts it (rules 17 and 22)."""

import pytest

from daemon.scheduling.deploys.rollout import strangers
from daemon.states import UNSEEN_IS_DEAD
from daemon.store.tables import replica as replicas
from daemon.store.tables import run
from tests.support.store import a_schedule, an_application

from .world import LONG_AGO, NEW, OLD, STEP, T, World

pytestmark = pytest.mark.anyio


async def test_a_run_waits_for_a_replica_with_the_definition_that_it_was_made_from(world: World) -> None:
    """Rule 22: what a deploy did not change goes on everywhere."""
    await world.start(OLD, "a1")
    for name in ("stays", "changes"):
        world.trigger(name)
    await world.start(NEW, "b1")
    await world.pass_time(2 * T)
    assert world.claimed_by(NEW) == ["stays"]
    assert world.claimed_by(OLD) == ["changes"]


async def test_a_run_whose_definition_nobody_has_any_more_goes_by_the_current_one_and_its_lock(world: World) -> None:
    old = await world.start(an_application(a_schedule("changes")), "a1")
    made, of_another = world.trigger("changes"), world.trigger("changes")
    locked = an_application(a_schedule("changes", lock="warehouse"))
    new = await world.start(locked, "b1")
    await world.pass_time(2 * STEP)
    before = world.store.run(made)
    assert (before.lease_name, before.adopted_from) == ("run/shop/changes", None)
    world.end(old)
    await world.pass_time(2 * STEP)
    after = world.store.run(made)
    assert (after.lease_name, after.adopted_from) == ("warehouse", before.digest)
    assert after.digest == world.store.run(of_another).digest == locked.schedules[0].run_digest()
    assert '2 runs of "changes" will use its current definition' in new.said[-1]


async def test_no_run_is_adopted_because_nobody_was_seen_in_an_outage(world: World) -> None:
    """Nor because the database's clock was set: another replica has 20 s to give a sign of life."""
    old = await world.start(OLD, "a1")
    run_id, retired = world.trigger("changes"), world.trigger("goes")
    new = await world.start(NEW, "b1")
    await world.pass_time(STEP)
    for _ in range(3):
        world.store.shift(replicas, seen_at=-LONG_AGO)
        new.rollout.lose_contact()
        await new.sign_of_life()
        await new.sign_of_life()
        await old.sign_of_life()
        await new.sign_of_life()
    assert world.claimed_by(OLD) == ["changes", "goes"]
    assert [world.store.run(one).state for one in (run_id, retired)] == ["running", "running"]


async def test_no_run_is_adopted_by_the_first_that_starts_after_a_long_outage(world: World) -> None:
    """It takes all who were not seen for a minute for dead, and they come back a moment later."""
    old = await world.start(OLD, "a1")
    run_id, retired = world.trigger("changes"), world.trigger("goes")
    await world.start(NEW, "b1")
    world.store.shift(replicas, seen_at=-2 * UNSEEN_IS_DEAD)
    again = await world.start(NEW, "b2")
    await again.sign_of_life()
    await old.sign_of_life()
    await again.sign_of_life(4 * STEP)
    assert world.claimed_by(OLD) == ["changes", "goes"]
    assert [world.store.run(one).state for one in (run_id, retired)] == ["running", "running"]


async def test_what_only_others_may_do_with_runs_locks_no_schedule(world: World) -> None:
    """The old one stands in, and does not have the schedule of a run that waits for the new one."""
    old = await world.start(OLD, "a1")
    new = await world.start(NEW, "b1")
    run_id = world.trigger("comes")
    world.end(new)
    await world.pass_time(3 * T)
    assert world.rules(OLD, in_lieu=True)
    found = world.store.do(strangers, OLD, old.holder)
    assert (found.gone, found.unseen) == (frozenset(), frozenset())
    assert world.store.run(run_id).state == "pending"


async def test_a_run_at_work_ends_as_it_began(world: World) -> None:
    old = await world.start(OLD, "a1")
    run_id, waiting = world.trigger("changes"), world.trigger("changes")
    assert world.claimed_by(OLD) == ["changes"]
    await world.start(NEW, "b1")
    world.kill(old)
    await world.pass_time(2 * T)
    assert world.store.run(run_id).adopted_from is None
    assert world.store.run(waiting).adopted_from is not None


async def test_what_waits_of_a_retired_schedule_is_claimed_while_a_replica_has_it_and_then_cancelled(
    world: World,
) -> None:
    """Rule 17."""
    old = await world.start(OLD, "a1")
    run_id = world.trigger("goes")
    await world.start(NEW, "b1")
    await world.pass_time(2 * T)
    assert world.store.run(run_id).state == "pending"
    world.end(old)
    await world.pass_time(2 * STEP)
    ended = world.store.run(run_id)
    assert (ended.state, ended.reason) == ("cancelled", "retired")
    assert world.claimed_by(OLD) == []


async def test_a_run_of_the_version_before_goes_by_the_current_definition(world: World) -> None:
    await world.start(OLD, "a1")
    run_id = world.trigger("stays")
    world.store.change(run, digest=None)
    assert world.claimed_by(OLD) == []
    await world.pass_time(2 * STEP)
    assert world.store.run(run_id).digest == OLD.schedules[0].run_digest()


async def test_who_stands_in_adopts_what_waits_of_the_newer_ones(world: World) -> None:
    await world.start(OLD, "a1")
    new = await world.start(NEW, "b1")
    of_both, of_new = world.trigger("changes"), world.trigger("comes")
    world.end(new)
    await world.pass_time(2 * T)
    assert world.rules(OLD, in_lieu=True)
    assert world.store.run(of_both).adopted_from == NEW.schedule("changes").run_digest()
    assert world.store.run(of_new).state == "pending"
    assert world.claimed_by(OLD) == ["changes"]
