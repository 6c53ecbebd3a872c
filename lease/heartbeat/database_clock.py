"""The steps of the database's clock, measured against this machine's monotonic clock (rule 1)."""

_STEP = 0.5
"""Seconds by which it must have moved, beyond what the round trips leave open."""


class DatabaseClock:
    """Compares each time that the database gives with the one before. All in seconds."""

    def __init__(self) -> None:
        self._offset: float | None = None
        self._took = 0.0

    def forget(self) -> None:
        """Start again: a long time has passed since the last comparison."""
        self._offset = None

    def step(self, database_time: float | None, sent: float, received: float) -> float | None:
        """Return by how much the clock has stepped, if it has: it showed ``database_time`` (None: it
        was not looked at) between ``sent`` and ``received`` of our clock.
        """
        if database_time is None:
            return None
        offset, took = database_time - (sent + received) / 2, received - sent
        step = 0.0 if self._offset is None else offset - self._offset
        unsure = (took + self._took) / 2  # each offset is right to half of its round trip
        self._offset, self._took = offset, took
        return step if abs(step) > _STEP + unsure else None
