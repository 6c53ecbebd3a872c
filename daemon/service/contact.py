"""Whether a replica can reach its database, reported when that changes."""

from time import monotonic

from ..telemetry.facts import DatabaseAway, DatabaseBack, Notify


class DatabaseContact:
    """The contact with the database, as the replica's own attempts show it."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._lost_at: float | None = None

    def lost_for(self) -> float | None:
        """Return for how many seconds the database could not be used; None while it can. For any thread."""
        lost_at = self._lost_at
        return None if lost_at is None else monotonic() - lost_at

    def lost(self, error: str) -> None:
        """Report, once, that the database cannot be used."""
        if self._lost_at is None:
            self._lost_at = monotonic()
            self._notify(DatabaseAway(error))

    def kept(self) -> None:
        """Report, once, that the database can be used again."""
        seconds = self.lost_for()
        if seconds is not None:
            self._lost_at = None
            self._notify(DatabaseBack(seconds))
