"""The contact of a replica with its database, reported when it is lost and when it is back."""

from time import monotonic

from ...telemetry.facts import DatabaseAway, DatabaseBack, Notify


class DatabaseContact:
    """The contact with the database, judged by the replica's own attempts to use it."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._lost_at: float | None = None

    def lost_for(self) -> float | None:
        """Return the seconds since the database was lost, None while it is not. For any thread."""
        lost_at = self._lost_at
        return None if lost_at is None else monotonic() - lost_at

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
