"""Spare connections, over which callers send statements themselves, one at a time (`lease.calls`)."""

from typing import Protocol, TypeVar

from .statement import Call

T = TypeVar("T")


class SpareFailed(Exception):
    """A spare connection gave no answer. What it was asked may or may not have happened."""


class NothingSentError(SpareFailed):
    """It was not even asked."""


class Spare(Protocol):
    """A connection for one statement at a time."""

    @property
    def is_well(self) -> bool:
        """Whether it can be used again."""
        ...

    def cut(self) -> None:
        """End what is under way, from another thread, also on a silent network (rule 3)."""
        ...

    def close(self, seconds: float) -> None:
        """Wait at most ``seconds`` for what was sent and is still under way, then close it."""
        ...


class ThreadSpare(Spare, Protocol):
    """One for callers in threads."""

    def send(self, call: Call[T]) -> T:
        """Make ``call`` in a transaction of its own. Raises `SpareFailed`."""
        ...


class LoopSpare(Spare, Protocol):
    """One for callers in event loops."""

    async def send(self, call: Call[T]) -> T:
        """Make ``call`` in a transaction of its own. Raises `SpareFailed`."""
        ...


AnySpare = ThreadSpare | LoopSpare
