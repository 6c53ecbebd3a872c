"""A client that is closed at any moment: every call ends with a sentence, and nothing is held in silence."""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

import lease
import lease.sync
from lease import LeaseError, LeaseTiming, events
from tests.lease.stores import Recorder, Tables, until
from tests.support.waiting import LIMIT, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("passing_seconds")]

TIMING = LeaseTiming(ttl=60, renew_every=20)
ROUNDS = 12
NAMES = ("a", "b", "c")
WORKERS = 8


def held_in_silence(tables: Tables, holder: str, told: Recorder) -> list[str]:
    """Return what is held still under that holder, and was neither released nor told as left to its ttl."""
    left = {event.grant.name for event in told.of(events.ReleaseFailed)}
    with tables.transaction() as connection:
        records = lease.statements.list_prefix(connection, "")
    return [record.name for record in records if record.holder == holder and record.name not in left]


def hold(client: lease.sync.LeaseClient, name: str) -> None:
    with client.hold(name, wait=LIMIT) as held:
        held.lost.wait(0.002)


def work(client: lease.sync.LeaseClient, number: int, begun: list[int]) -> str:
    """Use the client until it is closed; return the sentence that said so."""
    dice = random.Random(number)
    while True:
        begun.append(number)
        try:
            dice.choice((hold, lease.sync.LeaseClient.read))(client, dice.choice(NAMES))
        except LeaseError as error:
            if "closed" in str(error):
                return str(error)


@pytest.mark.parametrize("moment", range(ROUNDS))
def test_closing_ends_the_calls_of_all_threads_and_holds_nothing_in_silence(
    database_url: str, tables: Tables, moment: int
) -> None:
    told, begun = Recorder(), list[int]()
    with ThreadPoolExecutor(WORKERS) as pool:
        with lease.sync.LeaseClient(database_url, timing=TIMING, on_event=told) as client:
            working = [pool.submit(work, client, WORKERS * moment + number, begun) for number in range(WORKERS)]
            wait_until(lambda: len(begun) > 5 * moment, "they are at work")
        assert all("closed" in done.result(LIMIT) for done in working)
    assert held_in_silence(tables, client.holder, told) == []


async def async_hold(client: lease.LeaseClient, name: str) -> None:
    async with client.hold(name, wait=LIMIT):
        await asyncio.sleep(0.002)


async def async_work(client: lease.LeaseClient, number: int, begun: list[int]) -> str:
    """Use the client until it is closed; return the sentence that said so."""
    dice = random.Random(number)
    while True:
        begun.append(number)
        try:
            await dice.choice((async_hold, lease.LeaseClient.read))(client, dice.choice(NAMES))
        except LeaseError as error:
            if "closed" in str(error):
                return str(error)


@pytest.mark.parametrize("moment", range(ROUNDS))
@pytest.mark.parametrize("cancelled", [False, True], ids=["none is cancelled", "some are"])
async def test_closing_ends_the_calls_of_all_tasks_and_holds_nothing_in_silence(
    database_url: str, tables: Tables, moment: int, *, cancelled: bool
) -> None:
    told, begun = Recorder(), list[int]()
    async with lease.LeaseClient(database_url, timing=TIMING, on_event=told) as client:
        numbers = range(WORKERS * moment, WORKERS * (moment + 1))
        working = [asyncio.ensure_future(async_work(client, number, begun)) for number in numbers]
        await until(lambda: len(begun) > 5 * moment)
        for task in working[::2] if cancelled else ():
            task.cancel()
    ends = await asyncio.wait_for(asyncio.gather(*working, return_exceptions=True), LIMIT)
    told_so = [isinstance(end, str) and "closed" in end for end in ends]
    assert all(told_so[1::2])
    if cancelled:
        assert all(isinstance(end, (str, asyncio.CancelledError)) for end in ends[::2])
    else:
        assert all(told_so)
    assert held_in_silence(tables, client.holder, told) == []
