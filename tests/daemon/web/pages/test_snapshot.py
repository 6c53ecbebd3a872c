"""When the status that all pages share is read."""

import asyncio
from typing import Any

import pytest

from daemon.web.pages.snapshot import Snapshot

pytestmark = pytest.mark.anyio


class ReadingDesk:
    """A desk whose readings return 1, 2 and so on, once they may end."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.may_end = asyncio.Event()
        self.may_end.set()
        self._number = 0

    async def read(self, _unit: object, _question: object) -> int:
        self._number += 1
        self.begun.release()
        number = self._number
        await self.may_end.wait()
        return number


def a_snapshot(desk: Any) -> Any:
    return Snapshot(desk, 60.0)


@pytest.mark.parametrize("is_needed_fresh", [False, True])
async def test_a_status_of_a_moment_ago_is_taken_and_the_next_is_read_after_that(
    monkeypatch: pytest.MonkeyPatch, is_needed_fresh: bool
) -> None:
    monkeypatch.setattr("daemon.web.pages.snapshot._FRESH", 0)
    desk = ReadingDesk()
    snapshot = a_snapshot(desk)
    assert await snapshot.latest() == 1
    await desk.begun.acquire()
    assert [await snapshot.latest(), await snapshot.latest()] == [1, 1]
    await asyncio.sleep(0)
    assert desk.begun.locked(), "who takes it shares the processor with no reading"
    if is_needed_fresh:
        assert await snapshot.fresh() == 2, "it begins at once, in place of the planned one"
    await desk.begun.acquire()
    assert await snapshot.latest() == 2


async def test_who_has_acted_gets_no_status_that_was_begun_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.web.pages.snapshot._FRESH", 60)
    desk = ReadingDesk()
    snapshot = a_snapshot(desk)
    desk.may_end.clear()
    before = asyncio.create_task(snapshot.latest())
    await desk.begun.acquire()
    snapshot.forget()
    after = asyncio.create_task(snapshot.latest())
    await desk.begun.acquire()
    desk.may_end.set()
    assert [await before, await after, await snapshot.latest()] == [1, 2, 2]


def test_what_is_planned_ends_with_its_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_FRESH", "_AFTERWARDS"):
        monkeypatch.setattr(f"daemon.web.pages.snapshot.{name}", 0)

    async def asked() -> Any:
        snapshot = a_snapshot(ReadingDesk())
        assert [await snapshot.latest(), await snapshot.latest()] == [1, 1]
        return snapshot

    snapshot = asyncio.run(asked())
    assert snapshot._reading is None, "nothing is begun that nobody takes a step of"
