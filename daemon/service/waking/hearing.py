"""The hearing of a replica: it learns, without asking, that there may be something to do (rule 24).

What is heard is a hint. Hearing counts as working only after the replica has heard itself, and a
sign of life proves it again and again: a pooler swallows notifications, a network may be silent,
and a file system may tell nothing.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from ...store.notices import Notice

ANSWERS_WITHIN = 2.0
"""Seconds after a sign of life in which it must have been heard; otherwise hearing begins anew."""

_RECENTLY = 5.0
"""Seconds for which one that has heard something needs no other proof."""


class Hearer(Protocol):
    """Who hears."""

    def hear(self, notice: Notice) -> None:
        """Take in a notice of another replica, a command, or a program."""
        ...

    def has_turn(self, seconds: float) -> None:
        """Take in that it is this replica's turn to take a shared lock, in so many seconds."""
        ...

    def changed(self) -> None:
        """Take in that somebody has written something."""
        ...

    def look_again(self) -> None:
        """Take in that anything may have happened: hearing has begun, or ended, just now."""
        ...


class Hearing(Protocol):
    """The hearing, from `begin` to `close`."""

    @property
    def works(self) -> bool:
        """Whether it hears, as far as is known."""
        ...

    @property
    def needs_proof(self) -> bool:
        """Whether the next sign of life is to be one that it hears: it has heard nothing for a while."""
        ...

    def begin(self, hearer: Hearer) -> None:
        """Begin to hear, for ``hearer``."""
        ...

    def expect(self, since: float) -> None:
        """Expect to hear the sign of life that was sent after this monotonic time."""
        ...

    async def close(self) -> None:
        """Hear no more."""
        ...


class Deaf:
    """The hearing of a replica that hears nothing: it looks by itself."""

    works = needs_proof = False

    def begin(self, hearer: Hearer) -> None:
        """Do nothing."""

    def expect(self, since: float) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


class Echo:
    """When something was heard last, and whether a sign of life was heard in time."""

    def __init__(self) -> None:
        self._heard_at = 0.0
        self._expecting: asyncio.TimerHandle | None = None

    @property
    def is_needed(self) -> bool:
        """Whether it is long since anything was heard. Where many replicas hear each other, few have to
        send anything.
        """
        return monotonic() - self._heard_at > _RECENTLY

    def heard(self) -> None:
        """Take in that something was heard just now."""
        self._heard_at = monotonic()
        self.forget()

    def expect(self, since: float, unheard: Callable[[], None]) -> None:
        """Call ``unheard`` if nothing is heard in time; it may have been, while the answer to the
        commit was on its way. In two steps, since a loop that has stood still has yet to read what
        came meanwhile.
        """
        if self._heard_at < since and self._expecting is None:
            self._wait(lambda: self._wait(unheard))

    def _wait(self, then: Callable[[], None]) -> None:
        self._expecting = asyncio.get_running_loop().call_later(ANSWERS_WITHIN / 2, then)

    def forget(self) -> None:
        """Expect nothing any more."""
        if self._expecting is not None:
            self._expecting.cancel()
            self._expecting = None
