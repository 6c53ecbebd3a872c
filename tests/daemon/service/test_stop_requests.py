"""What tells a replica to stop: signals, and the end of its supervisor (rule 19)."""

import os
import signal
from collections.abc import Iterator
from typing import Any, cast

import pytest

from daemon.service.environment import SUPERVISOR_FD
from daemon.service.outside.outside import Outside, inherited_descriptor
from daemon.service.outside.stop_requests import StopRequests
from daemon.telemetry.facts import Fact
from tests.support.manual import told, until

pytestmark = pytest.mark.anyio


class Stoppable:
    """A replica, as those see it who stop it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.facts: list[Fact] = []
        self.begun = 0
        self.requests = StopRequests(cast("Any", self), 12.0, Outside(), self.facts.append, begun=self.count)

    def count(self) -> None:
        self.begun += 1

    def drain(self) -> None:
        self.asked.append("drain")

    def stop_at_once(self) -> None:
        self.asked.append("stop at once")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_first_signal_drains(number: signal.Signals) -> None:
    replica = Stoppable()
    with replica.requests.handled():
        signal.raise_signal(number)
        await until(lambda: replica.asked, "the signal is heard")
    assert (replica.asked, replica.begun) == (["drain"], 1)
    assert replica.requests.signal == number
    assert told(
        replica.facts, f"{number.name}: draining; no more runs are claimed, and running jobs have 12s to finish"
    )


async def test_a_second_signal_of_either_kind_stops_at_once_and_the_first_one_is_remembered() -> None:
    replica = Stoppable()
    with replica.requests.handled():
        for count, number in enumerate([signal.SIGTERM, signal.SIGINT, signal.SIGTERM], start=1):
            signal.raise_signal(number)
            await until(lambda count=count: len(replica.asked) == count, "the signal is heard")  # type: ignore[misc]
    assert replica.asked == ["drain", "stop at once", "stop at once"]
    assert replica.requests.signal == signal.SIGTERM


async def test_afterwards_signals_are_what_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)
    replica = Stoppable()
    with replica.requests.handled():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end of the pipe that a supervisor holds open; its replica finds the other in its environment."""
    ours, theirs = os.pipe()
    os.set_inheritable(ours, True)
    monkeypatch.setenv(SUPERVISOR_FD, str(ours))
    yield theirs
    os.close(ours)


async def test_the_end_of_the_supervisor_drains(supervisor: int) -> None:
    replica = Stoppable()
    with replica.requests.handled():
        os.close(supervisor)
        await until(lambda: replica.asked, "the end of the supervisor is noticed")
    assert (replica.asked, replica.begun) == (["drain"], 1)
    assert replica.requests.signal is None
    assert told(replica.facts, "the supervisor is gone: draining")


async def test_while_the_supervisor_lives_nothing_drains(supervisor: int) -> None:
    replica = Stoppable()
    with replica.requests.handled():
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: replica.asked, "the signal is heard")
    assert replica.asked == ["drain"]
    os.close(supervisor)


def test_children_inherit_neither_the_pipe_nor_its_number(supervisor: int) -> None:
    descriptor = inherited_descriptor(os.environ, SUPERVISOR_FD)
    assert descriptor is not None
    assert not os.get_inheritable(descriptor)
    assert SUPERVISOR_FD not in os.environ
    assert inherited_descriptor(os.environ, SUPERVISOR_FD) is None
    os.close(supervisor)


@pytest.mark.parametrize("number", ["", "ten", "-1", "²", "999999"])
def test_a_number_that_is_no_pipe_means_that_nobody_supervises(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SUPERVISOR_FD, number)
    assert inherited_descriptor(os.environ, SUPERVISOR_FD) is None
