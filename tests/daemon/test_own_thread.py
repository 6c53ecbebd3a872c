"""A call in a thread of its own ends quietly when nobody waits for it any more."""

import asyncio
import threading

import pytest

from daemon.own_thread import in_own_thread
from tests.support.manual import until
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("fails", [False, True])
async def test_a_call_ends_quietly_when_its_caller_has_gone(monkeypatch: pytest.MonkeyPatch, *, fails: bool) -> None:
    complaints: list[object] = []
    monkeypatch.setattr(threading, "excepthook", complaints.append)
    began, goes_on, threads = threading.Event(), threading.Event(), list[threading.Thread]()

    def call() -> None:
        threads.append(threading.current_thread())
        began.set()
        goes_on.wait(LIMIT)
        if fails:
            raise OSError

    waiting = asyncio.create_task(in_own_thread(call, "a call"))
    await until(began.is_set, "the call has begun")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    goes_on.set()
    await asyncio.to_thread(threads[0].join, LIMIT)
    assert complaints == []
