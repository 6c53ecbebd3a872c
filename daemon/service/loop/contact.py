"""The contact of a replica with its database, reported when it is lost and when it is back."""

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from lease.errors import StoreUnavailable

from ...jobs.room.shortage import shortage
from ...telemetry.facts import DatabaseAway, DatabaseBack, Notify

T = TypeVar("T")


class DatabaseContact:
    """The contact with the database, judged by the replica's own attempts to use it."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._lost_at: float | None = None

    def lost_for(self) -> float | None:
        """Return the seconds since the database was lost, None while it is not. For any thread."""
        lost_at = self._lost_at
        return None if lost_at is None else monotonic() - lost_at

    async def during(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """Return what ``work`` does with the database; None while that is away."""
        try:
            done = await work()
        except (StoreUnavailable, OSError, MemoryError, RuntimeError) as error:
            if not isinstance(error, StoreUnavailable) and shortage(error) is None:
                raise
            self.lost(str(error))  # of no use for now, also where only a thread was missing to use it
            return None
        self.kept()
        return done

    def lost(self, error: str) -> None:
        """Note that the database cannot be used, and report it once."""
        if self._lost_at is None:
            self._lost_at = monotonic()
            self._notify(DatabaseAway(error))

    def kept(self) -> None:
        """Note that the database can be used, and report it once if it was lost."""
        seconds = self.lost_for()
        if seconds is not None:
            self._lost_at = None
            self._notify(DatabaseBack(seconds))
