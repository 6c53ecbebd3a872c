"""The number of due instants in a piece of time, without enumerating them."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Tally:
    """``count`` instants, of which these are the first and the last."""

    first: datetime
    last: datetime
    count: int

    def and_then(self, later: "Tally") -> "Tally":
        """Return the tally of these and of later instants."""
        return replace(self, last=later.last, count=self.count + later.count)


def but_newest(tallies: Iterable[Tally], least: int) -> Tally | None:
    """Return the sum of ``tallies`` but for the last ones, which leave out at least ``least`` instants."""
    older: Tally | None = None
    newest: deque[Tally] = deque()
    left_out = 0
    for tally in tallies:
        newest.append(tally)
        left_out += tally.count
        while newest and left_out - newest[0].count >= least:
            oldest = newest.popleft()
            left_out -= oldest.count
            older = oldest if older is None else older.and_then(oldest)
    return older
