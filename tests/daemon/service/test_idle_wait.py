"""How long a replica rests between two looks, and what changes that (rule 24)."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic

import pytest

from daemon.recovery.deaths import DeathWatch
from daemon.scheduling.plan_due import ToPlan
from daemon.service.waking.idle_wait import LONGEST, Agenda, IdleWait, RoomLeft, has_work, longest_rest, rest_length
from lease.timing import LeaseTiming
from tests.support.waiting import LIMIT

NOTHING = ToPlan(late=False, requests=False, instants=False, backfills=False)
IDLE = Agenda(datetime(2026, 7, 1, tzinfo=UTC), None, None, None, NOTHING, False, False, False, False)
ROOM, FULL = RoomLeft(True), RoomLeft(False)


def length(agenda: Agenda, room: RoomLeft = ROOM) -> float:
    return rest_length(agenda, room, longest=10.0, again=0.25)


def test_a_rest_lasts_until_the_first_moment_on_the_agenda() -> None:
    assert length(IDLE) == 10.0
    assert length(replace(IDLE, until_due=3.0, until_available=2.0, until_stale=4.0)) == 2.0
    assert length(replace(IDLE, until_due=3.0, until_available=2.0), FULL) == 3.0
    assert length(IDLE, RoomLeft(False, 1.0)) == 1.0
    assert length(replace(IDLE, until_due=-5.0)) == 0.25, "another replica is at it"


def test_who_does_not_hear_looks_each_poll() -> None:
    assert longest_rest(IDLE, hears=False, watches=True, poll=1.0, ttl=15.0) == 1.0


def test_who_hears_rests_longer_but_not_beyond_the_time_in_which_an_unseen_lease_goes_stale() -> None:
    assert longest_rest(IDLE, hears=True, watches=True, poll=1.0, ttl=15.0) == LONGEST
    assert longest_rest(IDLE, hears=True, watches=True, poll=1.0, ttl=6.0) == 6.0
    assert longest_rest(IDLE, hears=True, watches=True, poll=60.0, ttl=15.0) == 60.0


def test_where_nobody_tells_of_deaths_it_looks_each_poll_while_runs_of_others_are_at_work() -> None:
    """Rule 18."""
    at_work = replace(IDLE, others_running=True)
    assert longest_rest(at_work, hears=True, watches=False, poll=1.0, ttl=15.0) == 1.0
    assert longest_rest(at_work, hears=True, watches=True, poll=1.0, ttl=15.0) == LONGEST
    assert longest_rest(IDLE, hears=True, watches=False, poll=1.0, ttl=15.0) == LONGEST


def test_there_is_work_when_a_moment_has_come_for_which_there_is_room() -> None:
    assert not has_work(replace(IDLE, until_due=1.0), ROOM)
    assert has_work(replace(IDLE, until_due=-1.0), FULL)
    assert has_work(replace(IDLE, until_available=-1.0), ROOM)
    assert not has_work(replace(IDLE, until_available=-1.0), FULL)


def a_rest() -> IdleWait:
    """One of a replica that hears nothing."""
    return IdleWait(lambda: False, DeathWatch("h1", LeaseTiming("15s")), 1e6, LeaseTiming("15s"))


async def begun(rest: IdleWait, agenda: Agenda) -> "asyncio.Task[None]":
    resting = asyncio.create_task(rest.after(agenda, ROOM))
    await asyncio.sleep(0)
    return resting


@pytest.mark.anyio
async def test_a_later_look_wakes_or_sets_a_new_end() -> None:
    rest = a_rest()
    resting = await begun(rest, IDLE)
    rest.take_in(replace(IDLE, until_due=0.01), ROOM, monotonic())
    await asyncio.wait_for(resting, LIMIT)
    rest.begin_look()
    resting = await begun(rest, replace(IDLE, until_due=1e5))
    rest.take_in(replace(IDLE, until_due=-1.0), ROOM, monotonic())
    await asyncio.wait_for(resting, LIMIT)


@pytest.mark.anyio
async def test_a_look_from_before_the_rest_that_is_answered_late_makes_it_no_longer() -> None:
    """The loop has seen since that something is due soon."""
    rest = a_rest()
    before = monotonic()
    resting = await begun(rest, replace(IDLE, until_due=0.05))
    rest.take_in(IDLE, ROOM, before)
    await asyncio.wait_for(resting, LIMIT)
    resting = await begun(rest, replace(IDLE, until_due=1e5))
    rest.take_in(replace(IDLE, until_due=0.01), ROOM, before)
    await asyncio.wait_for(resting, LIMIT)
