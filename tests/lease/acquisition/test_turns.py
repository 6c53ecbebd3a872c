"""The turns of one client's tasks and threads at a name."""

import asyncio

import pytest

from lease.acquisition.turns import Turns
from tests.lease.stores import until
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio


async def test_turns_come_in_the_order_in_which_they_were_asked_for() -> None:
    turns, served = Turns(), []

    async def work(number: int) -> None:
        assert await turns.take("a", number, None)
        served.append(number)
        await asyncio.sleep(0)
        turns.end("a")

    await asyncio.wait_for(asyncio.gather(*(work(number) for number in range(50))), LIMIT)
    assert served == list(range(50))
    assert turns.owner("a") is None


async def test_names_do_not_wait_for_one_another() -> None:
    turns = Turns()
    assert await turns.take("a", 1, 0)
    assert await turns.take("b", 1, 0)
    assert not await turns.take("a", 2, 0)


async def test_a_turn_that_did_not_come_in_time_is_given_up() -> None:
    turns = Turns()
    assert await turns.take("a", 1, 0)
    assert not await turns.take("a", 2, 0.01)
    turns.end("a")
    assert await turns.take("a", 3, 0), "nobody was left in the queue"


@pytest.mark.parametrize("when", ["before its turn", "as its turn comes"])
async def test_one_that_is_cancelled_holds_up_nobody(when: str) -> None:
    turns = Turns()
    assert await turns.take("a", 1, 0)
    second = asyncio.create_task(turns.take("a", 2, None))
    third = asyncio.create_task(turns.take("a", 3, None))
    await asyncio.sleep(0)
    if when == "as its turn comes":
        turns.end("a")
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    if when == "before its turn":
        turns.end("a")
    await until(third.done)
    assert third.result()
    assert turns.owner("a") == 3
