"""The library's own thread, where the platform is another than the tests'."""

import asyncio
from typing import NoReturn

import pytest

from lease.background import BackgroundLoop
from tests.support.waiting import LIMIT


async def running() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_its_loop_is_of_the_kind_that_psycopg_takes_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """What asyncio makes by default on Windows is one that psycopg refuses; and a policy may make any."""

    def proactor() -> NoReturn:
        raise AssertionError("the loop of this platform's default")

    monkeypatch.setattr(asyncio, "new_event_loop", proactor)
    background = BackgroundLoop("lease-test")
    try:
        assert isinstance(background.submit(running()).result(LIMIT), asyncio.SelectorEventLoop)
    finally:
        background.stop()
