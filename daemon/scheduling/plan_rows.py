"""The rows of a plan: one per instant, and a counted row for the rest of a long stretch. Pure.

A stretch is a series of instants that did not run for the same reason. Of those that come up at
once the newest 1,000 have a row each, and a counted one before them stands for all others; a stretch
that grows beyond 1,000 goes on in a counted row behind them (rule 13).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile

from ..definitions.triggers.tally import Tally
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
    """How many there are, but for those that a counted row before them stands for."""
    counted_from: datetime | None = None
    """The first instant of its counted row; None while it has none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one instant: it is skipped, or runs, or runs behind an earlier run."""

    instant: datetime
    skip: SkipReason | None
    waits: bool = False


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


def fold(older: Tally | None, verdicts: list[Verdict]) -> tuple[Tally | None, list[Verdict]]:
    """Return ``older`` with the first of ``verdicts`` counted too, if more than 1,000 are the same, and the
    others. What ``older`` stands for is skipped for the reason of the first verdict.
    """
    if not verdicts or verdicts[0].skip is None:
        return older, verdicts
    same = sum(1 for _ in takewhile(lambda verdict: verdict.skip == verdicts[0].skip, verdicts))
    beyond = max(0, same - LONGEST_STRETCH)
    if not beyond:
        return older, verdicts
    more = Tally(verdicts[0].instant, verdicts[beyond - 1].instant, beyond)
    return more if older is None else older.and_then(more), verdicts[beyond:]


def only_newest(verdicts: list[Verdict], *, waits: bool) -> list[Verdict]:
    """Let only the newest of those run that would, which replaces all others; ``waits``: behind one at work."""
    newest = max((verdict.instant for verdict in verdicts if verdict.skip is None), default=None)
    return [
        replace(one, waits=waits) if one.instant == newest else replace(one, skip=one.skip or "replaced", waits=False)
        for one in verdicts
    ]


class Ledger:
    """Turns instants into rows, at most ``most_rows``; each instant has its place in one row."""

    def __init__(self, stretch: Stretch | None, most_rows: int | None = None) -> None:
        self._most_rows = MOST_ROWS if most_rows is None else min(most_rows, MOST_ROWS)
        self._entries: list[Entry] = []
        self._reason = stretch.reason if stretch else None
        self._length = stretch.count if stretch else 0
        self._counted_from = stretch.counted_from if stretch else None
        self._extends = self._counted_from is not None
        self._counted_to: datetime | None = None

    def count(self, tally: Tally, skip: SkipReason) -> None:
        """Add many instants to the counted row that the stretch has, or give them one of their own."""
        if skip != self._reason:
            self._end_stretch()
            self._reason = skip
        if self._counted_from is not None:
            self._length += tally.count
            self._counted_to = tally.last
        else:
            self._entries.append(Entry(tally.first, tally.last, skip, count=tally.count, counted=True))
            self._length = 0

    def enter(self, verdict: Verdict) -> bool:
        """Give an instant a row or add it to the counted one; return False if the plan is full."""
        instant, skip = verdict.instant, verdict.skip
        goes_on = skip is not None and skip == self._reason
        beyond = goes_on and self._length >= LONGEST_STRETCH
        needs_row = not beyond or self._counted_to is None
        if needs_row and self.is_full:
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
            self._entries.append(Entry(instant, instant, skip, waits=verdict.waits))
        return True

    @property
    def is_full(self) -> bool:
        """No instant has a place any more that needs a row."""
        return self._rows() >= self._most_rows

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
