"""The herald of a replica: it sends notices after the commit that they are about (rules 15 and 24)."""

import asyncio
from collections.abc import Collection, Iterable
from contextlib import suppress
from functools import partial

from sqlalchemy import Connection

from lease.database.backend import backend_of
from lease.database.database import Database
from lease.errors import StoreUnavailable

from . import statements
from .notices import WORK, notify


class Herald:
    """Notifies other replicas that something may start.

    Nobody waits for it. What is said while notices are on their way goes with the next ones, so that
    there is one transaction at a time, however much happens.
    """

    def __init__(self, database: Database, application: str) -> None:
        self._database = database
        self._application = application
        self._listens = backend_of(database.url).listens
        self._has_work = False
        self._released: set[str] = set()
        self._moved_on: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self.has_audience = True
        """Whether other replicas of the application live, as far as is known: otherwise they are not told."""

    def say_work(self) -> None:
        """Notify the replicas of this application soon."""
        if self.has_audience:
            self._has_work = True
            self._send_soon()

    def say_released(self, lock: str, queues: Iterable[str] = ()) -> None:
        """Notify the replicas of each application of which a run waits for this shared lock, or in one of these
        queues: a slot is free.
        """
        self._released.add(lock)
        self._moved_on.update(queues)
        self._send_soon()

    async def finish(self) -> None:
        """Wait until all is sent."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def _send_soon(self) -> None:
        if self._listens and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while self._has_work or self._released or self._moved_on:
            applications = {self._application} if self._has_work else set[str]()
            send = partial(_send, told=applications, locks=self._released, queues=self._moved_on)
            self._has_work, self._released, self._moved_on = False, set(), set()
            with suppress(StoreUnavailable):  # they look by themselves, later
                await self._database.read(send)


def _send(connection: Connection, *, told: set[str], locks: Collection[str], queues: Collection[str]) -> None:
    is_released = locks or queues
    waiting = statements.queues.applications_waiting(connection, locks, queues) if is_released else []
    for application in sorted(told.union(waiting)):
        notify(connection, application, WORK)
