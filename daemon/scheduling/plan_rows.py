"""The rows of a plan: one per instant, and a counted row for the rest of a long stretch. Pure.

A stretch is a series of instants that did not run for the same reason. Of those that come up at
once the newest 1,000 have a row each, and a counted one before them stands for all others; a stretch
that grows beyond 1,000 goes on in a counted row behind them (rule 13).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from itertools import groupby

from ..definitions.triggers.wall_time import Tally
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

    @property
    def tally(self) -> Tally:
        return Tally(self.instant, self.instant, 1)


@dataclass(frozen=True, slots=True)
class Counted:
    """Instants that are skipped for one reason, and not looked at one by one."""

    tally: Tally
    skip: SkipReason


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


def fold(decided: Iterable[Verdict | Counted]) -> Iterator[Verdict | Counted]:
    """Yield what was decided, and of each stretch of skipped instants all but the newest 1,000 as one count."""
    for skip, stretch in groupby(decided, key=lambda one: one.skip):
        same = list(stretch)
        to_last_count = max((place for place, one in enumerate(same, 1) if isinstance(one, Counted)), default=0)
        beyond = 0 if skip is None else max(to_last_count, len(same) - LONGEST_STRETCH)
        if skip is not None and beyond:
            yield Counted(reduce(Tally.and_then, (one.tally for one in same[:beyond])), skip)
        yield from same[beyond:]


def only_newest(decided: list[Verdict | Counted], *, waits: bool) -> list[Verdict | Counted]:
    """Let only the newest of those run that would, which replaces all others; ``waits``: behind one at work."""
    newest = max((one.instant for one in decided if isinstance(one, Verdict) and one.skip is None), default=None)

    def beside_newest(one: Verdict | Counted) -> Verdict | Counted:
        if isinstance(one, Counted):
            return one
        if one.instant == newest:
            return replace(one, waits=waits)
        return replace(one, skip=one.skip or "replaced", waits=False)

    return [beside_newest(one) for one in decided]


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

    def enter(self, decided: Verdict | Counted) -> bool:
        """Give what was decided a row or add it to the counted one; return False if the plan is full."""
        return self._count(decided) if isinstance(decided, Counted) else self._enter(decided)

    def _count(self, counted: Counted) -> bool:
        """Add instants to the counted row that the stretch has, or give them one of their own."""
        goes_on = counted.skip == self._reason and self._counted_from is not None
        if self.is_full and not (goes_on and self._counted_to is not None):
            return False
        if counted.skip != self._reason:
            self._end_stretch()
            self._reason = counted.skip
        tally = counted.tally
        if self._counted_from is not None:
            self._length += tally.count
            self._counted_to = tally.last
        else:
            self._entries.append(Entry(tally.first, tally.last, counted.skip, count=tally.count, counted=True))
            self._length = 0
        return True

    def _enter(self, verdict: Verdict) -> bool:
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
        return len(self._entries) + (self._counted_to is not None) >= self._most_rows

    @property
    def stretch(self) -> Stretch | None:
        """The stretch that goes on after the last instant."""
        return Stretch(self._reason, self._length, self._counted_from) if self._reason else None

    def entries(self) -> Iterator[Entry]:
        yield from self._entries
        if (counted := self._counted()) is not None:
            yield counted

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
