"""The alarm of a replica's loop, which sleeps until it rings, and shows now and then that it is alive."""

import asyncio
from contextlib import suppress
from time import monotonic

_SHOW_EVERY = 5.0
"""Seconds of a rest after which the loop shows that it is alive."""


class Alarm:
    """Lets the loop sleep until `ring`. Use it in one event loop; `age` is for any thread."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._seen = monotonic()

    def ring(self) -> None:
        """End the sleep under way, or the next one."""
        self._woken.set()

    def begin_work(self) -> None:
        """Show that the loop is alive; what has woken it until now is being looked after."""
        self._seen = monotonic()
        self._woken.clear()

    def age(self) -> float:
        """Return the seconds since the loop was last seen at work or at rest."""
        return monotonic() - self._seen

    async def sleep(self, seconds: float) -> None:
        """Rest until woken, at most for ``seconds``."""
        end = monotonic() + seconds
        while not self._woken.is_set() and (left := end - monotonic()) > 0:
            self._seen = monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, _SHOW_EVERY)):
                    await self._woken.wait()
