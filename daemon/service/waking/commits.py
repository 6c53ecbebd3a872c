"""The hearing of a replica on SQLite: whoever commits changes the file.

It hears of each commit, its own and those that concern nobody too, and not of what: it then looks,
and does not do so more often than each `_APART`.
"""

import asyncio
from time import monotonic

from lease.database.listening.changes import FileChanges

from ...telemetry.facts import Note, Notify
from .hearing import Echo, Hearer

_APART = 0.05
"""Seconds between two looks at the least, for the sake of whoever commits all the time."""


class Commits:
    """What a replica hears of the commits to its file. Each sign of life is one, and proves that it hears."""

    def __init__(self, file: str, notify: Notify) -> None:
        self._file = file
        self._notify = notify
        self._changes = FileChanges(file, self._changed)
        self._hearer: Hearer | None = None
        self._echo = Echo()
        self._works = False
        self._reported = False
        self._told_at = 0.0
        self._telling: asyncio.TimerHandle | None = None

    @property
    def works(self) -> bool:
        return self._works

    @property
    def needs_proof(self) -> bool:
        return self._echo.is_needed

    def begin(self, hearer: Hearer) -> None:
        self._hearer = hearer
        self._changes.open()
        hearer.look_again()  # the sign of life that belongs to it is the first that must be heard

    def expect(self, since: float) -> None:
        self._echo.expect(since, self._unheard)

    async def close(self) -> None:
        self._echo.forget()
        self._changes.close()
        if self._telling is not None:
            self._telling.cancel()

    def _changed(self) -> None:
        self._echo.heard()
        if self._reported:
            self._notify(Note(f"now watching {self._file} for changes"))
        self._works, self._reported = True, False
        if self._telling is None:
            wait = max(0.0, self._told_at + _APART - monotonic())
            self._telling = asyncio.get_running_loop().call_later(wait, self._tell)

    def _tell(self) -> None:
        self._telling, self._told_at = None, monotonic()
        if self._hearer is not None:
            self._hearer.changed()

    def _unheard(self) -> None:
        self._echo.forget()
        self._changes.close()
        self._changes.open()
        if not self._reported:
            self._reported = True
            self._notify(Note(f"cannot watch {self._file} for changes, so this replica polls (see `poll`)"))
        if self._works and self._hearer is not None:
            self._works = False
            self._hearer.look_again()
