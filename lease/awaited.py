"""The names for which others were found to wait, or that were held, just now: to ask for one at once would
be in vain. Who wants it takes a place in the queue first.
"""

_MOST = 1000
"""How many names are remembered."""


class Awaited:
    """A set of names, for any thread."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, name: str) -> None:
        """Remember ``name``, until it is asked for."""
        if len(self._names) >= _MOST:
            self._names.clear()
        self._names[name] = None

    def take(self, name: str) -> bool:
        """Forget ``name``; return whether it was remembered."""
        return self._names.pop(name, self) is None

    def __contains__(self, name: str) -> bool:
        return name in self._names
