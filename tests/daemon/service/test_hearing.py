"""Whether a replica hears its own signs of life (rule 24)."""

import asyncio
import socket
import time
from time import monotonic

import pytest

from daemon.service.waking import hearing
from daemon.service.waking.hearing import ProvenHearing
from tests.support.manual import until

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "ANSWERS_WITHIN", 0.1)


class Kept(ProvenHearing):
    """A hearing that keeps how often it was unheard."""

    def __init__(self) -> None:
        super().__init__()
        self.unheard = 0

    def _unheard(self) -> None:
        self.unheard += 1


async def test_a_loop_that_stood_still_reads_what_came_meanwhile_before_it_is_taken_for_deaf() -> None:
    loop, kept = asyncio.get_running_loop(), Kept()
    reading, writing = socket.socketpair()
    loop.add_reader(reading, lambda: loop.remove_reader(reading) and loop.call_soon(kept._heard))
    kept.expect(monotonic())
    writing.send(b"a sign of life")
    time.sleep(0.2)  # noqa: ASYNC251 - it is what stands still
    await until(lambda: not kept.needs_proof, "it is read")
    reading.close()
    writing.close()
    assert not kept.unheard


async def test_what_is_not_heard_in_time_is_told_once() -> None:
    kept = Kept()
    for _ in range(2):
        kept.expect(monotonic())
    await until(lambda: kept.unheard, "it is told")
    assert kept.unheard == 1
