"""A trust page that lasts as long as the test of a child; and children, whose keepers are started anew or forked."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

import anyio
import pytest

from daemon.jobs.output import Output
from daemon.jobs.processes.child import Child, ChildEnd
from daemon.jobs.processes.trust_page import TrustPage
from daemon.jobs.templates.templates import Template
from lease.clock import boottime
from tests.daemon.jobs.trust import a_page
from tests.daemon.jobs.ways import WAYS, one_way
from tests.support.waiting import LIMIT

Start = Callable[..., Awaitable[Child]]


@pytest.fixture
def trust() -> Iterator[TrustPage]:
    page = a_page(boottime() + 3600)
    yield page
    page.close()


@pytest.fixture(params=WAYS)
def template(request: pytest.FixtureRequest, processes: None) -> Iterator[Template | None]:
    with one_way(request.param) as template:
        yield template


@pytest.fixture
async def start(trust: TrustPage, template: Template | None) -> AsyncIterator[Start]:
    """Start a child that waits for `go`; what is left of it is killed at the end."""
    started: list[Child] = []

    async def begin(*argv: str, output: Output | None = None, **more: Any) -> Child:
        given = {"cwd": None, "env": dict(os.environ), "trust": trust, "template": template, **more}
        child = await Child.spawn(argv, output=output or Output(Lines()), **given)
        started.append(child)
        return child

    yield begin
    for child in started:
        child.kill()
        await end_of(child)


class Lines:
    """A listener that can be waited for."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._new = asyncio.Event()

    def __call__(self, lines: Sequence[str]) -> None:
        self.all.extend(lines)
        self._new.set()

    async def first(self) -> str:
        with anyio.fail_after(LIMIT):
            while not self.all:
                self._new.clear()
                await self._new.wait()
        return self.all[0]


async def begun(start: Start, *argv: str, **more: Any) -> Child:
    """A child at work."""
    child = await start(*argv, **more)
    await child.go()
    return child


async def up(start: Start, *argv: str) -> tuple[Child, str, list[str]]:
    """A child at work, the first line that it prints, and all of its lines so far."""
    lines = Lines()
    child = await begun(start, *argv, output=Output(lines))
    return child, await lines.first(), lines.all


async def end_of(child: Child) -> ChildEnd:
    """Wait until it has ended."""
    with anyio.fail_after(LIMIT):
        return await child.ended()


def printed(child: Child) -> str:
    """Return the last of what it has printed."""
    return child._pipes.output.tail
