"""The turns of one client's tasks and threads at a name."""

import asyncio

import pytest

from lease.acquisition.turns import LocalTurn, Turns
from tests.lease.stores import until
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio


async def test_turns_come_in_the_order_in_which_they_were_asked_for() -> None:
    turns, served = Turns(), []

    async def work(turn: LocalTurn) -> None:
        assert await turns.take(turn, None)
        served.append(turn.owner)
        await asyncio.sleep(0)
        turns.end(turn)

    await asyncio.wait_for(asyncio.gather(*(work(LocalTurn("a", number)) for number in range(50))), LIMIT)
    assert served == list(range(50))
    await until(lambda: turns.owner("a") is None)


async def test_names_do_not_wait_for_one_another() -> None:
    turns = Turns()
    assert await turns.take(LocalTurn("a", 1), 0)
    assert await turns.take(LocalTurn("b", 1), 0)
    assert not await turns.take(LocalTurn("a", 2), 0)


async def test_a_turn_that_did_not_come_in_time_is_given_up() -> None:
    turns, first = Turns(), LocalTurn("a", 1)
    assert await turns.take(first, 0)
    assert not await turns.take(LocalTurn("a", 2), 0.01)
    turns.end(first)
    assert await turns.take(LocalTurn("a", 3), 0), "nobody was left in the queue"


@pytest.mark.parametrize("when", ["before its turn", "as its turn comes"])
async def test_one_that_is_cancelled_holds_up_nobody(when: str) -> None:
    turns, first = Turns(), LocalTurn("a", 1)
    assert await turns.take(first, 0)
    second = asyncio.create_task(turns.take(LocalTurn("a", 2), None))
    third = asyncio.create_task(turns.take(LocalTurn("a", 3), None))
    await asyncio.sleep(0)
    if when == "as its turn comes":
        turns.end(first)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    if when == "before its turn":
        turns.end(first)
    await until(third.done)
    assert third.result()
    assert turns.owner("a") == 3


async def test_a_turn_that_has_ended_ends_no_later_one() -> None:
    turns, first, second = Turns(), LocalTurn("a", 1), LocalTurn("a", 1)
    assert turns.take_now(first)
    turns.end(first)
    assert turns.take_now(second)
    turns.end(first)
    assert turns.has(second)


async def test_who_does_not_wait_passes_nobody_who_does() -> None:
    turns, first = Turns(), LocalTurn("a", 1)
    assert turns.take_now(first)
    second = asyncio.create_task(turns.take(LocalTurn("a", 2), None))
    await asyncio.sleep(0)
    turns.end(first)
    assert not turns.take_now(LocalTurn("a", 3))
    await until(second.done)
    assert turns.owner("a") == 2
