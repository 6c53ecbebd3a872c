"""The batcher writes set by set: what comes meanwhile goes with the next, and nobody waits for another (rule 15)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from daemon.execution.writes import batcher
from daemon.execution.writes.batcher import WriteBatcher
from daemon.execution.writes.transactions import Done, NothingWritten, PassedOver, Write
from lease.errors import StoreUnavailable
from tests.support.manual import until
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

Answer = Callable[[list[Any], float | None], list[Any]]


class FakeDatabase:
    """Writes nothing; a test holds up its transactions, and lets them fail."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.failures: list[BaseException] = []
        self.began = 0

    async def write(self, unit: Callable[[Connection], Any], *, timeout: float | None = None) -> Any:
        del timeout
        self.began += 1
        await self.open.wait()
        if self.failures:
            raise self.failures.pop(0)
        return unit(None)  # type: ignore[arg-type]


class Story:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database = FakeDatabase()
        self.batcher = WriteBatcher(self.database)  # type: ignore[arg-type]
        self.sets: list[list[Any]] = []
        self.alone: list[Any] = []
        self.answer: Answer = lambda writes, _patience: [Done()] * len(writes)
        monkeypatch.setattr(batcher, "write_set", self._write_set)

    def _write_set(self, _connection: Connection, writes: list[Write], *, patience: float | None = None) -> list[Any]:
        (self.sets if patience is None else self.alone).append(list(writes))
        return self.answer(list(writes), patience)

    def end(self, name: str) -> "asyncio.Task[Any]":
        return asyncio.create_task(self.batcher.write(name))  # type: ignore[arg-type]


@pytest.fixture
async def story(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Story]:
    async with asyncio.timeout(LIMIT):
        yield Story(monkeypatch)


async def test_what_comes_while_a_set_is_written_goes_with_the_next(story: Story) -> None:
    story.database.open.clear()
    first = story.end("a")
    await until(lambda: story.database.began, "a set is under way")
    later = [story.end(name) for name in "bcd"]
    await asyncio.sleep(0)
    story.database.open.set()
    assert await asyncio.gather(first, *later) == [Done()] * 4
    assert story.sets == [["a"], ["b", "c", "d"]]


async def test_a_set_is_bounded(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher, "MOST", 2)
    await asyncio.gather(*(story.end(name) for name in "abcde"))
    assert story.sets == [["a", "b"], ["c", "d"], ["e"]]


async def test_what_is_passed_over_three_times_waits_by_itself_and_holds_up_nobody(story: Story) -> None:
    def answer(writes: list[Any], patience: float | None) -> list[Any]:
        return [PassedOver() if write == "locked" and patience is None else Done() for write in writes]

    story.answer = answer
    locked, free = story.end("locked"), story.end("free")
    assert await free == Done()
    assert await locked == Done()
    assert story.sets == [["locked", "free"], ["locked"], ["locked"]]
    assert story.alone == [["locked"]]


async def test_while_one_waits_by_itself_others_are_written(story: Story) -> None:
    held = asyncio.Event()
    write = story.database.write

    async def held_up(unit: Callable[[Connection], Any], *, timeout: float | None = None) -> Any:
        answer = await write(unit, timeout=timeout)
        if story.alone and not held.is_set():
            await held.wait()
        return answer

    story.database.write = held_up  # type: ignore[method-assign]
    story.answer = lambda writes, patience: [
        PassedOver() if one == "locked" and patience is None else Done() for one in writes
    ]
    locked = story.end("locked")
    await until(lambda: story.alone, "one waits by itself")
    story.alone.clear()
    assert await story.end("free") == Done()
    assert not locked.done()
    held.set()
    assert await locked == Done()


async def test_a_database_that_is_away_is_told_to_each_and_a_mistake_of_one_only_to_that_one(story: Story) -> None:
    story.database.failures = [StoreUnavailable("away")]
    for task in [story.end(name) for name in "ab"]:
        with pytest.raises(StoreUnavailable):
            await task

    def answer(writes: list[Any], _patience: float | None) -> list[Any]:
        if "bad" in writes:
            raise ValueError("a text that no database takes")
        return [Done()] * len(writes)

    story.answer = answer
    bad, good = story.end("bad"), story.end("good")
    assert await good == Done()
    with pytest.raises(ValueError, match="no database takes"):
        await bad


async def test_a_transaction_that_is_cut_off_leaves_nobody_waiting(story: Story) -> None:
    story.database.failures = [asyncio.CancelledError()]
    with pytest.raises(StoreUnavailable):
        await story.end("a")
    assert await story.end("b") == Done()


async def test_what_contradicts_the_tables_is_an_error_of_that_write_alone(story: Story) -> None:
    story.answer = lambda writes, _: [NothingWritten("no row") if one == "bad" else Done() for one in writes]
    bad, good = story.end("bad"), story.end("good")
    assert await good == Done()
    with pytest.raises(NothingWritten):
        await bad


async def test_a_claim_goes_with_the_ends_and_takes_their_places(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher, "EndRun", str)
    asked: list[tuple[int, int]] = []

    def places(ending: int) -> int:
        asked.append((ending, story.database.began))
        return ending + 1

    run: Any = "a run"
    claimed = asyncio.create_task(story.batcher.claim(lambda _, limit: [run] * limit, places))
    ended = [story.end(name) for name in "ab"]
    assert await claimed == [run] * 3
    assert await asyncio.gather(*ended) == [Done()] * 2
    assert (asked, story.database.began) == ([(2, 0)], 1), "before the transaction, which may run in another thread"


async def test_who_was_cancelled_gets_no_answer_and_the_others_do(story: Story) -> None:
    story.database.open.clear()
    gone, other = story.end("a"), story.end("b")
    await until(lambda: story.database.began, "a set is under way")
    late = story.end("c")
    await asyncio.sleep(0)
    for one in (gone, late):
        one.cancel()
        await asyncio.wait({one})
    story.database.open.set()
    assert await other == Done()
    assert await story.end("d") == Done()
    assert story.sets == [["a", "b"], ["d"]], "and what nobody waits for any more is not written"
