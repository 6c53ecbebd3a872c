"""The slot of one replica: whatever ends there is started again, and it can be replaced."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lease.durations import format_duration, next_wait

from ..outside.file_check import CheckedFile
from .supervised_replica import SupervisedReplica


@dataclass(frozen=True, slots=True)
class Restarts:
    """The waits before a replica is restarted, in seconds."""

    first: float = 0.5
    longest: float = 30.0
    healthy_after: float = 60.0
    """After a life this long, the next wait is the first again."""

    def wait(self, previous: float, lived: float) -> float:
        """Return the next wait, given the previous one, 0 if there was none, and how long the replica lived."""
        return next_wait(0.0 if lived >= self.healthy_after else previous, self.first, self.longest)


Start = Callable[[int, CheckedFile, SupervisedReplica | None], Awaitable[SupervisedReplica | None]]
"""Starts the replica of a slot, in the place of another one; None if it cannot be started."""


@dataclass(eq=False)
class Slot:
    """Keeps one replica running, of what was last checked for this slot."""

    index: int
    checked: CheckedFile
    start: Start
    warn: Callable[[str], object]
    restarts: Restarts
    until_idle: bool

    def __post_init__(self) -> None:
        self.current: SupervisedReplica | None = None
        self._stopping = False
        self._turn = asyncio.Lock()
        """Held by whoever starts a replica here."""
        self._wake = asyncio.Event()

    def stop(self) -> None:
        """Start nothing here any more."""
        self._stopping = True
        self._wake.set()

    async def keep(self) -> int:
        """Keep a replica running here until `stop`; return the exit status of the last one.

        With ``until_idle``, one that exits by itself is not started again.
        """
        wait = 0.0
        await self._fill(None)
        while True:
            replica = self.current
            status = 1 if replica is None else await asyncio.shield(replica.end)
            async with self._turn:  # a replica that takes its place is not held up by a wait
                pass
            if self.current is not replica:
                wait = 0.0
                continue
            if self._stopping or (self.until_idle and status >= 0):
                return status
            wait = self.restarts.wait(wait, 0.0 if replica is None else replica.lived)
            if replica is not None:
                self.warn(f"replica {self.index + 1} {_ended(replica)}; restarting it in {format_duration(wait)}")
            await self._rest(wait)
            if not self._stopping:
                await self._fill(replica)

    async def replace(self, checked: CheckedFile, within: float) -> str | None:
        """Start a replica of what was checked, and drain the one here once that is ready.

        Return the problem if it is not ready ``within`` so many seconds; the one here then goes on.
        """
        async with self._turn:
            old = self.current
            if self._stopping or (old is not None and old.checked is checked and not old.end.done()):
                return None
            new = await self.start(self.index, checked, old)
            if new is None:
                return "cannot be started"
            if not await new.settled(within):
                problem = new.why_not_ready(within)
                new.ask(1)
                return problem
            self.current, self.checked = new, checked
            self._wake.set()
        if old is not None:
            old.ask(1)
            await asyncio.shield(old.end)
        return None

    async def _fill(self, ended: SupervisedReplica | None) -> None:
        async with self._turn:
            if self.current is ended and not self._stopping:
                self.current = await self.start(self.index, self.checked, None)

    async def _rest(self, seconds: float) -> None:
        self._wake.clear()
        if not self._stopping:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()


def _ended(replica: SupervisedReplica) -> str:
    if replica.found_other_file:
        return "did not start because FILE has changed since it was checked; send SIGHUP to the supervisor to load it"
    return replica.ending()
