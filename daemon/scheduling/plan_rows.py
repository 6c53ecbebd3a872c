"""The rows of a plan: one per instant, and a counted row for the rest of a long stretch. Pure.

A stretch is a series of instants that did not run for the same reason. Beyond 1,000 instants it is
counted (rule 13).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from ..states import SkipReason

MOST_ROWS = 1_000
"""The most rows of one plan (rule 13)."""
LONGEST_STRETCH = 1_000
"""The most instants of one stretch that have a row of their own (rule 13)."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The latest instants of a schedule, if none of them ran, all for the same reason."""

    reason: SkipReason
    count: int
    counted_from: datetime | None = None
    """The first instant of its counted row; None while it has none."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row; a counted row stands for ``count`` instants from ``first`` to ``last``."""

    first: datetime
    last: datetime
    skip: SkipReason | None
    waits: bool = False
    count: int = 1
    counted: bool = False
    extends: bool = False


class Ledger:
    """Turns instants into rows, one by one; the rows do not depend on the split into plans."""

    def __init__(self, stretch: Stretch | None) -> None:
        self._entries: list[Entry] = []
        self._reason = stretch.reason if stretch else None
        self._length = stretch.count if stretch else 0
        self._counted_from = stretch.counted_from if stretch else None
        self._extends = self._counted_from is not None
        self._counted_to: datetime | None = None

    def enter(self, instant: datetime, skip: SkipReason | None, *, waits: bool) -> bool:
        """Give ``instant`` a row or add it to the counted one; return False if the plan is full."""
        goes_on = skip is not None and skip == self._reason
        beyond = goes_on and self._length >= LONGEST_STRETCH
        needs_row = not beyond or self._counted_to is None
        if needs_row and self._rows() >= MOST_ROWS:
            return False
        if not goes_on:
            self._end_stretch()
            self._reason = skip
        if skip is not None:
            self._length += 1
        if beyond:
            self._counted_from = self._counted_from or instant
            self._counted_to = instant
        else:
            self._entries.append(Entry(instant, instant, skip, waits=waits and skip is None))
        return True

    @property
    def stretch(self) -> Stretch | None:
        """The stretch that goes on after the last instant."""
        return Stretch(self._reason, self._length, self._counted_from) if self._reason else None

    def entries(self) -> Iterator[Entry]:
        """Yield the rows in the order of their instants."""
        yield from self._entries
        if (counted := self._counted()) is not None:
            yield counted

    def _rows(self) -> int:
        return len(self._entries) + (self._counted_to is not None)

    def _end_stretch(self) -> None:
        if (counted := self._counted()) is not None:
            self._entries.append(counted)
        self._reason, self._length = None, 0
        self._counted_from = self._counted_to = None
        self._extends = False

    def _counted(self) -> Entry | None:
        if self._counted_from is None or self._counted_to is None:
            return None
        count = self._length - LONGEST_STRETCH
        row = Entry(self._counted_from, self._counted_to, self._reason, count=count, counted=True)
        return replace(row, extends=True) if self._extends else row
