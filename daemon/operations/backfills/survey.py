"""The survey of past instants: which have succeeded, which are under way, and which a backfill is to run. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, assert_never

from ...states import RunState
from .counted import CountedRow

Fate = Literal["succeeded", "under way", "left out", "failed", "skipped", "none"]
"""What has become of a scheduled time. failed: its run failed or was cancelled, and is retried; skipped, none: it gets a run."""


class SurveyedInstant(NamedTuple):
    """A scheduled time, what has become of it, and its last run."""

    instant: datetime
    fate: Fate
    run_id: int | None = None


@dataclass(slots=True)
class Survey:
    """What has become of each scheduled time."""

    each: list[SurveyedInstant] = field(default_factory=list)
    """In order."""
    succeeded: int = 0
    """So many have succeeded, in their own run or in one that tried it again."""
    under_way: Counter[int | None] = field(default_factory=Counter)
    """By the backfill that requested it, or None: so many wait or are at work."""
    skipped: list[int] = field(default_factory=list)
    """The runs that did not run."""
    ended: list[int] = field(default_factory=list)
    """The runs that failed or were cancelled, and that no other has tried again."""
    missing: list[datetime] = field(default_factory=list)
    """The instants without a run: the schedule was not due at them then."""
    counted: dict[CountedRow, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    """By counted row, the instants that it stands for."""

    left_out: int = 0
    """So many are on days that the schedule keeps free, or cannot be retried."""

    @property
    def to_run(self) -> int:
        """How many are to run."""
        inside = sum(map(len, self.counted.values()))
        return len(self.skipped) + len(self.ended) + len(self.missing) + inside


@dataclass(frozen=True, slots=True)
class Try:
    """A run of one instant: its own, or one that tries the run before it again."""

    run_id: int
    state: RunState
    backfill: int | None


def survey(
    instants: Iterable[datetime],
    rows: Sequence[Any],
    next_tries: Mapping[int, Try],
    is_free: Callable[[datetime], bool] = lambda _: False,
) -> Survey:
    """Return what there is of instants, which are in order: ``rows`` are the runs of a schedule, in order too, and
    ``next_tries`` the runs that tried runs again, by the number of the run before. ``is_free`` says
    whether an instant is on a day that the schedule keeps free.
    """
    found = Survey()
    left = iter(rows)
    row = next(left, None)
    for instant in instants:
        while row is not None and (row.last_scheduled_for or row.scheduled_for) < instant:
            row = next(left, None)
        mine = None if row is None or row.scheduled_for > instant else row
        if (mine is None or mine.reason == "excluded") and is_free(instant):
            found.left_out += 1
            found.each.append(SurveyedInstant(instant, "left out"))
        elif mine is None:
            found.missing.append(instant)
            found.each.append(SurveyedInstant(instant, "none"))
        elif mine.last_scheduled_for is not None:
            counted = CountedRow(mine.id, mine.scheduled_for, mine.last_scheduled_for, mine.count)
            found.counted[counted].append(instant)
            found.each.append(SurveyedInstant(instant, "skipped"))
        else:
            tries = list(_tries(Try(mine.id, mine.state, mine.backfill), next_tries))
            found.each.append(SurveyedInstant(instant, _enter(found, tries), tries[-1].run_id))
    return found


def _tries(first: Try, next_tries: Mapping[int, Try]) -> Iterator[Try]:
    """Yield the runs of one instant, the latest last."""
    one: Try | None = first
    while one is not None:
        yield one
        one = next_tries.get(one.run_id)


def _enter(found: Survey, tries: Sequence[Try]) -> Fate:
    """Enter the runs of one scheduled time, and return what has become of it."""
    latest = tries[-1]
    state: RunState = "succeeded" if any(one.state == "succeeded" for one in tries) else latest.state
    match state:
        case "succeeded":
            found.succeeded += 1
            return "succeeded"
        case "pending" | "running":
            found.under_way[latest.backfill] += 1
            return "under way"
        case "failed" | "cancelled":
            found.ended.append(latest.run_id)
            return "failed"
        case "skipped":
            found.skipped.append(latest.run_id)
            return "skipped"
        case _:
            assert_never(state)
