"""What a lone replica makes of SIGHUP; the signal itself is in `test_hangups`."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from daemon.service.outside.file_check import CheckedFile, CommandLine, WrongFile
from daemon.service.outside.outside import Outside, ServiceManager, SupervisorLink
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


class Reloadable:
    """A replica that is asked to drain, and the check of its FILE, which waits for the test."""

    def __init__(self, *, supervised: bool = False, until_idle: bool = False) -> None:
        self.asked: list[str] = []
        self.facts: list[Fact] = []
        self.hanging, self.manager = Hanging(), Manager()
        self.checks: list[asyncio.Future[Any]] = []
        link = SupervisorLink(digest="a digest" if supervised else None)
        outside = Outside(link, self.manager, cast("Any", self.hanging), self._check)
        self.requests = StopRequests(
            *(cast("Any", self), 12.0, outside, self.facts.append), begun=lambda: None, until_idle=until_idle
        )

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


async def test_a_file_that_is_right_drains_and_starts_anew() -> None:
    replica = Reloadable()
    with replica.hung_up():
        (await replica.checking()).set_result(CheckedFile("a digest"))
        await until(lambda: replica.requests.starts_anew, "it drains")
        assert replica.asked == ["drain"]
        assert replica.manager.told == ["RELOADING=1"], "the one that starts anew is ready, not this one"
        replica.hanging.hang_up(False)
        assert told(replica.facts, "SIGHUP: ignored because this replica is already stopping")


async def test_a_file_that_is_wrong_changes_nothing_and_the_next_one_may_be_right() -> None:
    replica = Reloadable()
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
    replica = Reloadable()
    with replica.requests.handled():
        replica.hanging.hang_up(False)
        await asyncio.sleep(0)
        assert replica.checks == []
        replica.requests.joined()
        await replica.checking()


async def test_one_during_a_check_has_the_file_checked_once_more() -> None:
    replica = Reloadable()
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
    replica = Reloadable()
    with replica.hung_up():
        check = await replica.checking()
        replica.requests.on_signal(signal.SIGTERM)
        check.set_result(CheckedFile("a digest"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert not replica.requests.starts_anew
    assert replica.asked == ["drain"]


async def test_a_terminal_that_closes_drains_and_ends() -> None:
    replica = Reloadable()
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
    replica = Reloadable(**kind)
    with replica.hung_up():
        assert told(replica.facts, why)
    assert (replica.asked, replica.checks) == ([], [])


async def test_a_supervisor_that_is_told_to_stop_right_after_a_sighup_begins_no_check() -> None:
    """The check may take a minute, for which its end would wait."""
    replica, said = Reloadable(), list[str]()
    outside = Outside(SupervisorLink(), replica.manager, cast("Any", replica.hanging), replica._check)
    of = (CommandLine("file", {}, False, "folder", {}), 1, CheckedFile("a digest"), outside)
    supervisor: Any = Supervisor(*of, report=said.append, warn=said.append)
    supervisor._hung_up(terminal_closed=False)
    supervisor._stop(signal.SIGTERM)
    await until(lambda: supervisor._roll is None, "it gives up")
    assert replica.checks == []
