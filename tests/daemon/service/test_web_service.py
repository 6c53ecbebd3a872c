"""The web server of a replica that takes the place of another one, and with it its address."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, cast

import pytest

from daemon.jobs.processes.identity import identity
from daemon.service.outside.outside import SupervisorLink
from daemon.service.web_service import served
from daemon.telemetry.facts import Fact
from daemon.web.address import WebAddress
from daemon.web.app import WebNotStarted
from daemon.web.door import Door
from tests.support.manual import told, until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("processes"),
    pytest.mark.skipif(sys.platform != "linux", reason="whether it is there is looked up in /proc"),
]


class Ready:
    """Stands for the readiness of a replica."""

    def loops(self) -> dict[str, Any]:
        return {}

    problems = counts = loops

    def blocked(self) -> None:
        return None

    standing = blocked


class Replaced:
    """The replica that is replaced: its process, and the address that it holds."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(["sleep", "1000"])
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self.address = WebAddress("127.0.0.1", self._socket.getsockname()[1], asked=True)
        self.link = SupervisorLink(digest="a digest", replaced=identity(self._process.pid))

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def free_address(self) -> None:
        self._socket.close()


@pytest.fixture
def replaced() -> Iterator[Replaced]:
    made = Replaced()
    yield made
    made.end()
    made.free_address()


async def test_it_answers_there_once_the_replaced_one_has_ended(replaced: Replaced) -> None:
    facts: list[Fact] = []
    async with served(cast("Any", Ready()), Door(replaced.address), replaced.link, facts.append):
        assert facts == []
        replaced.free_address()
        replaced.end()
        await until(lambda: told(facts, f"http://{replaced.address}/"), "it answers")
    assert len(facts) == 1


async def test_an_address_that_is_still_in_use_is_told_once_and_taken_when_it_is_free(replaced: Replaced) -> None:
    facts: list[Fact] = []
    async with served(cast("Any", Ready()), Door(replaced.address), replaced.link, facts.append):
        replaced.end()
        await until(lambda: told(facts, "is already in use"), "it says so")
        replaced.free_address()
        await until(lambda: told(facts, f"http://{replaced.address}/"), "it answers")
    assert len(facts) == 2


async def test_it_may_end_before_the_replaced_one_does(replaced: Replaced) -> None:
    facts: list[Fact] = []
    async with served(cast("Any", Ready()), Door(replaced.address), replaced.link, facts.append):
        pass
    assert facts == []


async def test_one_that_replaces_nobody_does_not_start_where_another_program_answers(replaced: Replaced) -> None:
    link = SupervisorLink(digest="a digest", replaced=None)
    with pytest.raises(WebNotStarted, match="is already in use"):
        async with served(cast("Any", Ready()), Door(replaced.address), link, lambda _: None):
            pass
