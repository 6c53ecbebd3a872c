"""The clock that a test moves."""


class ManualClock:
    """A clock that moves only when a test moves it; call it to get the time in seconds."""

    def __init__(self, start: float = 1_000.0) -> None:
        self._now = start

    def __call__(self) -> float:
        """Return the time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._now += seconds
