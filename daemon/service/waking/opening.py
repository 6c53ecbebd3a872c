"""The opening of a replica's hearing, by the kind of its database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from lease.database.backend import backend_of
from lease.database.connections import route_to

from ...execution.context import ReplicaContext
from ...telemetry.facts import Note, Notify
from .changes import FileChanges
from .hearing import Deaf, Echo, Hearer, Hearing

_APART = 0.05
"""Seconds between two looks at the least, for the sake of whoever commits all the time."""


class Commits:
    """What a replica hears of the commits to its file. Each sign of life is one, and proves that it hears."""

    def __init__(self, file: str, notify: Notify) -> None:
        self._file = file
        self._notify = notify
        self._changes = FileChanges(file, self._changed)
        self._hearer: Hearer | None = None
        self._echo = Echo()
        self._works = False
        self._reported = False
        self._told_at = 0.0
        self._telling: asyncio.TimerHandle | None = None

    @property
    def works(self) -> bool:
        return self._works

    @property
    def needs_proof(self) -> bool:
        return self._echo.is_needed

    def begin(self, hearer: Hearer) -> None:
        self._hearer = hearer
        self._changes.open()
        hearer.look_again()  # the sign of life that belongs to it is the first that must be heard

    def expect(self, since: float) -> None:
        self._echo.expect(since, self._unheard)

    async def close(self) -> None:
        self._echo.forget()
        self._changes.close()
        if self._telling is not None:
            self._telling.cancel()

    def _changed(self) -> None:
        self._echo.heard()
        if self._reported:
            self._notify(Note(f"now watching {self._file} for changes"))
        self._works, self._reported = True, False
        if self._telling is None:
            wait = max(0.0, self._told_at + _APART - monotonic())
            self._telling = asyncio.get_running_loop().call_later(wait, self._tell)

    def _tell(self) -> None:
        self._telling, self._told_at = None, monotonic()
        if self._hearer is not None:
            self._hearer.changed()

    def _unheard(self) -> None:
        self._echo.forget()
        self._changes.close()
        self._changes.open()
        if not self._reported:
            self._reported = True
            self._notify(Note(f"cannot watch {self._file} for changes, so this replica polls (see `poll`)"))
        if self._works and self._hearer is not None:
            self._works = False
            self._hearer.look_again()


@asynccontextmanager
async def hearing_of(context: ReplicaContext) -> AsyncIterator[Hearing]:
    """Let a replica hear during the block; at its end, what it has to say itself is sent."""
    hearing = _open(context)
    try:
        yield hearing
    finally:
        await hearing.close()
        await context.herald.finish()


def _open(context: ReplicaContext) -> Hearing:
    url = context.database.url
    backend = backend_of(url)
    if (file := backend.file(url)) is not None:
        return Commits(file, context.notify)
    if not backend.listens:
        return Deaf()
    from .notifications import Notifications  # noqa: PLC0415 - its driver is loaded only where there is one

    return Notifications(route_to(url), context.application.name, context.client.holder, context.notify)
