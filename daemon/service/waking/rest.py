"""The rest of a replica's loop between two looks, and what ends it."""

import asyncio
from contextlib import suppress
from random import uniform
from time import monotonic

from lease.timing import LeaseTiming

from ...recovery.death_watch import DeathWatch
from ..loop.agenda import Agenda
from .hearing import Hearing
from .length import RoomLeft, has_work, longest_rest, rest_length

_SHOW_EVERY = 5.0
"""Seconds of a rest after which the loop shows that it is alive."""
_SPREAD = 0.005
"""Seconds over which replicas that hear the same notice spread their looks."""


class Rest:
    """The rest, which lasts for a time that may change meanwhile, or until it is woken."""

    def __init__(self, hearing: Hearing, deaths: DeathWatch, poll: float, timing: LeaseTiming) -> None:
        self.hearing = hearing
        self.deaths = deaths
        deaths.tell(self.wake)
        self._poll = poll
        self._timing = timing
        self._woken = asyncio.Event()
        self._wants_look = False
        self._began = self._end = 0.0
        self._shown_at = monotonic()

    def begin_look(self) -> None:
        """Take in that the loop looks now: whatever woke it before is seen by that."""
        self._wants_look = False
        self.begin_claim()

    def begin_claim(self) -> None:
        """Take in that the loop fills its places, and looks after nothing else."""
        self._woken.clear()
        self._shown_at = monotonic()

    @property
    def is_for_places(self) -> bool:
        """Return whether nothing but free places has ended the rest so far, which would go on otherwise."""
        return not self._wants_look and monotonic() < self._end

    def age(self) -> float:
        """Return the seconds since the loop was last seen at work or at rest. For any thread."""
        return monotonic() - self._shown_at

    def wake(self) -> None:
        """End the rest, or the next one if the loop is at work."""
        self._wants_look = True
        self._woken.set()

    def wake_for_places(self) -> None:
        """End the rest, or the next one, only to fill places: a run has ended."""
        self._woken.set()

    def wake_in(self, seconds: float) -> None:
        """End the rest in so many seconds at the latest."""
        asyncio.get_running_loop().call_later(seconds, self.wake)

    def wake_in_turn(self) -> None:
        """End the rest in a few milliseconds, each replica after another time, so that a herd is spread."""
        self.wake_in(uniform(0.0, _SPREAD))  # noqa: S311 - no secret

    async def after(self, agenda: Agenda, room: RoomLeft) -> None:
        """Rest after a look until there may be something to do."""
        await self.rest(self._length(agenda, room))

    def take_in(self, agenda: Agenda, room: RoomLeft, began: float) -> None:
        """Take in another look, which began at this monotonic time: if there is something to do,
        wake the loop; otherwise rest by that one. One from before the rest may not know what the
        loop has seen since, so it only shortens it.
        """
        if has_work(agenda, room):
            self.wake()
            return
        seconds = self._length(agenda, room)
        if began >= self._began or monotonic() + seconds < self._end:
            self._last(seconds)

    def _length(self, agenda: Agenda, room: RoomLeft) -> float:
        hears, watches = self.hearing.works, self.deaths.suffices
        longest = longest_rest(agenda, hears=hears, watches=watches, poll=self._poll, ttl=self._timing.ttl)
        return rest_length(agenda, room, longest=longest, again=self._timing.retry_wait)

    def _last(self, seconds: float) -> None:
        """Let it last for so many seconds from now on."""
        end = monotonic() + seconds
        if end < self._end:
            self.wake_in(seconds)
        self._end = end

    async def rest(self, seconds: float) -> None:
        """Rest until woken, and show now and then that this loop is alive."""
        self._began = monotonic()
        self._end = self._began + seconds
        while not self._woken.is_set() and (left := self._end - monotonic()) > 0:
            self._shown_at = monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, _SHOW_EVERY)):
                    await self._woken.wait()

    async def go_on(self) -> None:
        """Rest for as long as the rest before would have lasted."""
        await self.rest(self._end - monotonic())
