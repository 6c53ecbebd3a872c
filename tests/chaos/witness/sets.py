"""The sizes of the sets in which runs were claimed and ended: the rows that the witness wrote in one transaction (rule 15)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

_TRANSACTION = {"postgresql": "xmin::text", "sqlite": "at"}
"""The mark that the witness's rows of one set share: on SQLite the clock, which stands still in a statement."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The number of sets of each size."""

    of: Counter[int] = field(default_factory=Counter)

    @property
    def runs(self) -> int:
        return sum(size * times for size, times in self.of.items())

    @property
    def together(self) -> int:
        """The runs in sets of more than one."""
        return self.runs - self.of[1]

    @property
    def largest(self) -> int:
        return max(self.of, default=0)

    def __str__(self) -> str:
        return f"of {self.runs}, in sets of up to {self.largest}"


@dataclass(frozen=True, slots=True)
class Sets:
    """The sets of a campaign."""

    claims: Sizes = field(default_factory=Sizes)
    ends: Sizes = field(default_factory=Sizes)
    """Those by their own holders: others settle runs, too."""


def sets(connection: Connection) -> Sets:
    """Return what sets the runs of a campaign were claimed and ended in."""
    query = (
        f"SELECT {_TRANSACTION[connection.dialect.name]}, what, holder, token, run FROM witness WHERE run IS NOT NULL"
    )
    rows = connection.execute(text(query)).all()
    settled = {(holder, token, run) for _, what, holder, token, run in rows if what in ("settled", "given up")}
    claimed = [(which, holder) for which, what, holder, _, _ in rows if what == "claimed"]
    left = [row for row in rows if row.what == "left" and (row.holder, row.token, row.run) not in settled]
    return Sets(_sizes(claimed), _sizes((which, holder) for which, _, holder, _, _ in left))


def _sizes(members: Iterable[tuple[Any, str]]) -> Sizes:
    return Sizes(Counter(Counter(members).values()))
