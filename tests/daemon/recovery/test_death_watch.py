"""The death of a replica on this machine is told by the kernel, at once, and of the right process (rule 18)."""

import asyncio
import errno
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from daemon.jobs.processes.identity import ProcessIdentity, identity
from daemon.recovery.deaths import MOST, DeathWatch, Neighbour
from lease.timing import LeaseTiming
from tests.daemon.jobs.family import open_descriptors
from tests.support.waiting import LIMIT

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there are no pidfds")]

TIMING = LeaseTiming("15s", attempt_timeout="0.2s")


class Watching(DeathWatch):
    """A watch, and how often it has told of a death."""

    def __init__(self) -> None:
        super().__init__("me", TIMING)
        self.told = asyncio.Queue[bool]()
        self.died = lambda: self.told.put_nowait(True)

    async def hears(self) -> None:
        await asyncio.wait_for(self.told.get(), LIMIT)

    def is_sufficient(self) -> bool:
        return self.suffices


def neighbour(process: subprocess.Popen[bytes]) -> Neighbour:
    found = identity(process.pid)
    assert found is not None
    return Neighbour("another", found)


async def test_a_death_is_told_and_once_more_when_the_last_it_sent_must_have_arrived(
    process: subprocess.Popen[bytes],
) -> None:
    """Nobody has asked for its status: it is a zombie."""
    watch = Watching()
    watch.follow([neighbour(process)])
    assert watch.is_sufficient()
    assert watch.told.empty()
    process.kill()
    await watch.hears()
    await watch.hears()
    assert not watch.is_sufficient(), "what is left of its work may have to end first"
    watch.close()


async def test_of_a_process_that_has_the_number_of_a_dead_one_the_death_is_told_at_once_and_once(
    process: subprocess.Popen[bytes],
) -> None:
    watch, alive = Watching(), neighbour(process)
    earlier = replace(alive, process=ProcessIdentity(process.pid, alive.process.start_time - 1))
    watch.follow([earlier])
    await watch.hears()
    await watch.hears()
    watch.follow([earlier])
    watch.follow_too([earlier])
    assert watch.told.empty(), "or each look would lead to another"
    watch.close()


async def test_one_that_is_gone_is_told_at_once(process: subprocess.Popen[bytes]) -> None:
    watch, gone = Watching(), neighbour(process)
    process.kill()
    process.wait()
    watch.follow_too([gone])
    await watch.hears()
    watch.close()


async def test_who_is_no_neighbour_any_more_is_not_watched(process: subprocess.Popen[bytes]) -> None:
    before = open_descriptors()
    watch, other = Watching(), neighbour(process)
    watch.follow([other, Neighbour("me", other.process)])
    assert open_descriptors() == before + 1
    watch.follow([])
    assert open_descriptors() == before
    watch.follow([other])
    watch.close()
    watch.follow([other])
    assert open_descriptors() == before, "it is closed"


async def test_where_one_cannot_be_watched_deaths_have_to_be_looked_for(
    process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    watch = Watching()
    with monkeypatch.context() as short:
        short.setattr(os, "pidfd_open", none_left)
        watch.follow([neighbour(process)])
        assert not watch.is_sufficient()
    watch.follow([neighbour(process)])
    assert watch.is_sufficient(), "it is tried again"
    watch.close()


async def test_of_many_neighbours_some_are_watched_and_the_deaths_of_the_others_have_to_be_looked_for(
    process: subprocess.Popen[bytes],
) -> None:
    """Each takes a descriptor, which jobs and connections need more."""
    before, watch = open_descriptors(), Watching()
    many = [replace(neighbour(process), holder=f"h{number}") for number in range(MOST + 1)]
    watch.follow(many)
    assert open_descriptors() == before + MOST
    assert not watch.is_sufficient()
    watch.follow(many[1:])
    assert watch.is_sufficient()
    watch.close()
