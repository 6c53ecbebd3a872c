"""The link of a replica to its supervisor: what it was told, and what it answers (rule 22); and what the service manager is
told, over a real socket (sd_notify).
"""

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.jobs.processes.identity import identity
from daemon.service.environment import CHECKED_DIGEST, READY_FD, REPLACED_PROCESS, REPLICA_INDEX
from daemon.service.outside.outside import (
    OTHER_FILE,
    READY,
    NothingHandedOver,
    OtherFile,
    ServiceManager,
    SupervisorLink,
)
from tests.support.manual import a_shop
from tests.support.notify_socket import NotifySocket
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio


APPLICATION = a_shop().application(Path("shop.py"))


def test_a_lone_replica_was_told_nothing_and_runs_any_file() -> None:
    link = SupervisorLink.inherited({})
    assert link == SupervisorLink()
    assert not link.is_supervised
    assert not link.replaces_a_living_one()
    link.check(APPLICATION, 1)
    link.ready()


def test_what_it_was_told_is_taken_out_of_the_environment() -> None:
    reading, writing = os.pipe()
    me = identity(os.getpid())
    assert me is not None
    environment = {
        "HOME": "/root",
        REPLICA_INDEX: "2",
        READY_FD: str(writing),
        CHECKED_DIGEST: APPLICATION.checked_digest,
        REPLACED_PROCESS: f"{me.pid}.{me.start_time}",
    }
    link = SupervisorLink.inherited(environment, lambda: b'{"grace": 5.0}')
    assert link.settings == {"grace": 5.0}
    assert environment == {"HOME": "/root"}
    assert (link.index, link.is_supervised) == (2, True)
    with pytest.raises(NothingHandedOver, match="the supervisor handed over no settings"):
        SupervisorLink.inherited({CHECKED_DIGEST: "a digest"}, lambda: b"")
    assert link.replaces_a_living_one()
    assert not replace(link, replaced=replace(me, start_time=1)).replaces_a_living_one()
    link.check(APPLICATION, 1)
    link.ready()
    assert os.read(reading, 100) == READY
    os.close(reading)
    os.close(writing)


def test_it_refuses_a_file_that_the_supervisor_has_not_checked_and_says_so_at_both_ends() -> None:
    reading, writing = os.pipe()
    link = SupervisorLink(digest="another", ready_fd=writing)
    with pytest.raises(OtherFile, match=r"shop\.py has changed since .* send SIGHUP to the supervisor \(process 7\)"):
        link.check(APPLICATION, 7)
    assert os.read(reading, 100) == OTHER_FILE
    os.close(reading)
    link.ready()  # the supervisor is gone: nobody hears it
    os.close(writing)


@pytest.mark.parametrize("text", ["", "-1", "one", "9999", "²"])
def test_variables_that_somebody_else_has_set_are_passed_over(text: str) -> None:
    link = SupervisorLink.inherited({REPLICA_INDEX: text, READY_FD: text, REPLACED_PROCESS: text})
    assert (link.ready_fd, link.replaced) == (None, None)


# The service manager


@pytest.fixture(params=["path", "abstract"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NotifySocket]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@leased-test-{os.getpid()}"
    with NotifySocket(address) as made:
        yield made


def found(environment: dict[str, str]) -> tuple[ServiceManager, list[str]]:
    warnings: list[str] = []
    return ServiceManager.found(environment, warnings.append), warnings


def test_each_change_is_one_message(listening: NotifySocket) -> None:
    manager, warnings = found({"NOTIFY_SOCKET": listening.address})
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.ready("ready to claim")
    manager.reloading("checking\nFILE")
    manager.status("2 of 3")
    manager.starting_anew()
    manager.stopping("draining")
    ready, reloading, status, anew, stopping = listening.messages()
    assert ready == ["READY=1", f"MAINPID={os.getpid()}", "STATUS=ready to claim"]
    assert reloading[0] == "RELOADING=1"
    assert before <= int(reloading[1].removeprefix("MONOTONIC_USEC=")) <= time.clock_gettime_ns(1) // 1000
    assert reloading[2] == "STATUS=checking FILE"
    assert anew == ["WATCHDOG=1", "STATUS=restarting in place"], "the watchdog waits for the new start from here on"
    assert (status, stopping) == (["STATUS=2 of 3"], ["STOPPING=1", "STATUS=draining"])
    assert warnings == []


def test_its_variables_are_taken_out_of_the_environment_and_kept_for_a_start_anew() -> None:
    given = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    environment = {"HOME": "/root", **given}
    manager, _ = found(environment)
    assert environment == {"HOME": "/root"}
    assert manager.variables == given


async def test_the_watchdog_hears_while_every_loop_is_alive_and_then_no_more(listening: NotifySocket) -> None:
    manager, _ = found({"NOTIFY_SOCKET": listening.address, "WATCHDOG_USEC": "20000"})
    looks = 0
    has_looked_on = asyncio.Event()

    def alive() -> bool:
        nonlocal looks
        looks += 1
        if looks == 5:
            has_looked_on.set()
        return looks <= 2

    watching = asyncio.create_task(manager.watch(alive))
    await asyncio.wait_for(has_looked_on.wait(), LIMIT)
    watching.cancel()
    assert listening.messages() == [["WATCHDOG=1"], ["WATCHDOG=1"]]


@pytest.mark.parametrize(
    ("given", "warning"),
    [
        ({"WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": ""}, 'WATCHDOG_USEC is "", which is not a number of microseconds'),
        ({"WATCHDOG_USEC": "0"}, 'WATCHDOG_USEC is "0"'),
        ({"WATCHDOG_USEC": "5s"}, 'WATCHDOG_USEC is "5s"'),
    ],
)
async def test_a_watchdog_of_another_process_or_without_a_time_is_told_nothing(
    listening: NotifySocket, given: dict[str, str], warning: str | None
) -> None:
    manager, warnings = found({"NOTIFY_SOCKET": listening.address, "WATCHDOG_USEC": "20000", **given})
    await asyncio.wait_for(manager.watch(lambda: True), LIMIT)
    assert listening.messages() == []
    assert [one.startswith(warning or "?") for one in warnings] == ([True] if warning else [])


@pytest.mark.parametrize("address", ["notify", "vsock:2:1234", "@"])
def test_an_address_that_cannot_be_one_is_told_once(address: str) -> None:
    manager, warnings = found({"NOTIFY_SOCKET": address})
    assert warnings == [
        f'NOTIFY_SOCKET is "{address}", which is neither a path nor "@name", so the service manager is not notified'
    ]
    manager.ready("ready")


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/to/be/found"}])
def test_where_nobody_listens_nothing_happens(environment: dict[str, str]) -> None:
    manager, warnings = found(environment)
    manager.ready("ready")
    assert warnings == []
