"""What tells a replica to stop: signals, the end of its supervisor (rule 19), and SIGHUP, of which a lone one makes a start
anew; that signal itself is in `test_hangups`.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from daemon.service.environment import SUPERVISOR_FD
from daemon.service.outside.file_check import CheckedFile, CommandLine, WrongFile
from daemon.service.outside.outside import Outside, ServiceManager, SupervisorLink, inherited_descriptor
from daemon.service.outside.stop_requests import StopRequests
from daemon.service.supervision.supervisor import Supervisor
from daemon.telemetry.facts import Fact
from tests.support.manual import told, until

pytestmark = pytest.mark.anyio


class Hanging:
    """Stands for the signal: a test hangs up by a call."""

    @contextmanager
    def heard_by(self, listener: Callable[[bool], object]) -> Iterator[None]:
        self.hang_up = listener
        yield


class Manager(ServiceManager):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def _send(self, *lines: str) -> None:
        self.told.append(lines[0])


class Replica:
    """A replica, as those see it who stop it; the check of its FILE waits for the test."""

    def __init__(self, *, supervised: bool = False, until_idle: bool = False) -> None:
        self.asked: list[str] = []
        self.facts: list[Fact] = []
        self.begun = 0
        self.hanging, self.manager = Hanging(), Manager()
        self.checks: list[asyncio.Future[Any]] = []
        link = SupervisorLink(digest="a digest" if supervised else None)
        outside = Outside(link, self.manager, cast("Any", self.hanging), self._check)
        self.requests = StopRequests(
            *(cast("Any", self), 12.0, outside, self.facts.append), begun=self.count, until_idle=until_idle
        )

    def count(self) -> None:
        self.begun += 1

    def drain(self) -> None:
        self.asked.append("drain")

    def stop_at_once(self) -> None:
        self.asked.append("stop at once")

    async def _check(self) -> Any:
        self.checks.append(asyncio.get_running_loop().create_future())
        return await self.checks[-1]

    @contextmanager
    def hung_up(self, *, closed: bool = False) -> Iterator[None]:
        """Let it hear of a hang-up once it has joined, perhaps because its terminal has closed."""
        with self.requests.handled():
            self.requests.joined()
            self.hanging.hang_up(closed)
            yield

    async def checking(self, number: int = 1) -> "asyncio.Future[Any]":
        await until(lambda: len(self.checks) == number, f"check {number}")
        return self.checks[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_first_signal_drains(number: signal.Signals) -> None:
    replica = Replica()
    with replica.requests.handled():
        signal.raise_signal(number)
        await until(lambda: replica.asked, "the signal is heard")
    assert (replica.asked, replica.begun) == (["drain"], 1)
    assert replica.requests.signal == number
    assert told(
        replica.facts, f"{number.name}: draining; no more runs are claimed, and running jobs have 12s to finish"
    )


async def test_a_second_signal_of_either_kind_stops_at_once_and_the_first_one_is_remembered() -> None:
    replica = Replica()
    with replica.requests.handled():
        for count, number in enumerate([signal.SIGTERM, signal.SIGINT, signal.SIGTERM], start=1):
            signal.raise_signal(number)
            await until(lambda count=count: len(replica.asked) == count, "the signal is heard")  # type: ignore[misc]
    assert replica.asked == ["drain", "stop at once", "stop at once"]
    assert replica.requests.signal == signal.SIGTERM


async def test_afterwards_signals_are_what_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)
    replica = Replica()
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
    replica = Replica()
    with replica.requests.handled():
        os.close(supervisor)
        await until(lambda: replica.asked, "the end of the supervisor is noticed")
    assert (replica.asked, replica.begun) == (["drain"], 1)
    assert replica.requests.signal is None
    assert told(replica.facts, "the supervisor is gone: draining")


def test_children_inherit_neither_the_pipe_nor_its_number(supervisor: int) -> None:
    descriptor = inherited_descriptor(os.environ, SUPERVISOR_FD)
    assert descriptor is not None
    assert not os.get_inheritable(descriptor)
    assert SUPERVISOR_FD not in os.environ
    assert inherited_descriptor(os.environ, SUPERVISOR_FD) is None
    os.close(supervisor)


# SIGHUP


async def test_a_file_that_is_right_drains_and_starts_anew() -> None:
    replica = Replica()
    with replica.hung_up():
        (await replica.checking()).set_result(CheckedFile("a digest"))
        await until(lambda: replica.requests.starts_anew, "it drains")
        assert replica.asked == ["drain"]
        assert replica.manager.told == ["RELOADING=1"], "the one that starts anew is ready, not this one"
        replica.hanging.hang_up(False)
        assert told(replica.facts, "SIGHUP: ignored because this replica is already stopping")


async def test_a_file_that_is_wrong_changes_nothing_and_the_next_one_may_be_right() -> None:
    replica = Replica()
    with replica.hung_up():
        (await replica.checking()).set_result(WrongFile("shop.py, line 3: no", ("shop.py, line 7: no",)))
        await until(lambda: replica.manager.told == ["RELOADING=1", "READY=1"], "the reload is over")
        assert told(replica.facts, "SIGHUP: this replica continues unchanged: shop.py, line 3: no")
        assert told(replica.facts, "SIGHUP: shop.py, line 7: no")
        assert replica.asked == []
        replica.hanging.hang_up(False)
        (await replica.checking(2)).set_result(CheckedFile("a digest"))
        await until(lambda: replica.requests.starts_anew, "it drains")


async def test_one_before_it_has_joined_waits_until_then() -> None:
    replica = Replica()
    with replica.requests.handled():
        replica.hanging.hang_up(False)
        await asyncio.sleep(0)
        assert replica.checks == []
        replica.requests.joined()
        await replica.checking()


async def test_one_during_a_check_has_the_file_checked_once_more() -> None:
    replica = Replica()
    with replica.hung_up():
        first = await replica.checking()
        replica.hanging.hang_up(False)
        replica.hanging.hang_up(False)
        first.set_result(CheckedFile("a digest"))
        (await replica.checking(2)).set_result(WrongFile("no"))
        await until(lambda: told(replica.facts, "continues unchanged"), "it says so")
    assert replica.asked == []
    assert len(replica.checks) == 2


async def test_a_signal_to_end_during_a_check_is_what_counts() -> None:
    replica = Replica()
    with replica.hung_up():
        check = await replica.checking()
        replica.requests.on_signal(signal.SIGTERM)
        check.set_result(CheckedFile("a digest"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert not replica.requests.starts_anew
    assert replica.asked == ["drain"]


async def test_a_terminal_that_closes_drains_and_ends() -> None:
    replica = Replica()
    with replica.hung_up(closed=True):
        pass
    assert (replica.asked, replica.requests.signal, replica.checks) == (["drain"], 1, [])
    assert not replica.requests.starts_anew


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ({"supervised": True}, "send it to the supervisor, which replaces its replicas one by one"),
        ({"until_idle": True}, "with --until-idle the replica exits when it is idle"),
    ],
)
async def test_those_that_start_nothing_anew_say_why(kind: dict[str, bool], why: str) -> None:
    replica = Replica(**kind)
    with replica.hung_up():
        assert told(replica.facts, why)
    assert (replica.asked, replica.checks) == ([], [])


async def test_a_supervisor_that_is_told_to_stop_right_after_a_sighup_begins_no_check() -> None:
    """The check may take a minute, for which its end would wait."""
    replica, said = Replica(), list[str]()
    outside = Outside(SupervisorLink(), replica.manager, cast("Any", replica.hanging), replica._check)
    of = (CommandLine("file", {}, False, "folder", {}), 1, CheckedFile("a digest"), outside)
    supervisor: Any = Supervisor(*of, report=said.append, warn=said.append)
    supervisor._hung_up(terminal_closed=False)
    supervisor._stop(signal.SIGTERM)
    await until(lambda: supervisor._roll is None, "it gives up")
    assert replica.checks == []
