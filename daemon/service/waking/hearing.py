"""The hearing of a replica: it learns, without asking, that there may be something to do (rule 24).

What is heard is a hint. Hearing counts as working only after the replica has heard itself, and a sign of life proves it
again and again: a pooler swallows notifications, a network may be silent, and a file system may tell nothing.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from time import monotonic

from .idle_wait import Wakes

ANSWERS_WITHIN = 2.0
"""Seconds after a sign of life in which it must have been heard; otherwise hearing begins anew."""

_RECENTLY = 5.0
"""Seconds for which one that has heard something needs no other proof."""


class Hearing:
    """The hearing, from `begin` to `close`. This one hears nothing: its replica looks by itself."""

    @property
    def works(self) -> bool:
        """Whether it hears, as far as is known."""
        return False

    @property
    def needs_proof(self) -> bool:
        """Whether the next sign of life is to be one that it hears: it has heard nothing for a while."""
        return False

    def begin(self, hearer: Wakes) -> None:
        """Begin to hear, for ``hearer``."""

    def expect(self, since: float) -> None:
        """Expect to hear the sign of life that was sent after this monotonic time."""

    async def close(self) -> None:
        """Hear no more."""


class ProvenHearing(Hearing, ABC):
    """A hearing that has to hear the replica's own signs of life. Where many replicas hear each other, few have to send
    anything for that.
    """

    def __init__(self) -> None:
        self._hearer: Wakes | None = None
        self._heard_at = 0.0
        self._expecting: asyncio.TimerHandle | None = None

    @property
    def needs_proof(self) -> bool:
        return monotonic() - self._heard_at > _RECENTLY

    def expect(self, since: float) -> None:
        """Begin anew if nothing is heard in time; it may have been, while the answer to the commit was on its way. In two
        steps, since a loop that has stood still has yet to read what came meanwhile.
        """
        if self._heard_at < since and self._expecting is None:
            self._wait(lambda: self._wait(self._unheard))

    async def close(self) -> None:
        self._forget()

    def _wait(self, then: Callable[[], None]) -> None:
        self._expecting = asyncio.get_running_loop().call_later(ANSWERS_WITHIN / 2, then)

    @abstractmethod
    def _unheard(self) -> None:
        """Begin to hear again: the sign of life was not heard."""

    def _heard(self) -> None:
        self._heard_at = monotonic()
        self._forget()

    def _forget(self) -> None:
        if self._expecting is not None:
            self._expecting.cancel()
            self._expecting = None
