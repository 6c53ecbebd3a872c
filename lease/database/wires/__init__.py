"""Wires: connections of a client over which its callers send statements themselves (`lease.calls`)."""

from typing import Protocol, TypeVar

from ..held.statement import Call

T = TypeVar("T")


class WireFailed(Exception):
    """A wire gave no answer. What was sent may or may not have happened."""


class NothingSentError(WireFailed):
    """It was not even sent."""


class Wire(Protocol):
    """A connection for one statement at a time. It belongs to no thread and to no event loop."""

    @property
    def is_well(self) -> bool:
        """Whether it can be used again."""

    def send_in_thread(self, call: Call[T]) -> T:
        """Make ``call`` in a transaction of its own. Raises `WireFailed`."""

    async def send_in_loop(self, call: Call[T]) -> T:
        """Do the same in an event loop, which it does not block."""

    def cut(self) -> None:
        """End what is under way, from another thread, also on a silent network (rule 3)."""

    def close(self, seconds: float) -> None:
        """Wait at most ``seconds`` for what was sent and is still under way, then close it."""
