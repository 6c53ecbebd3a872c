"""A report, as values: counts, and the verdict on them. Pure."""

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ....instants import format_instant
from ....states import Act as ActKind
from ....text import counted, number, when


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What became of scheduled times. ``due`` is the sum of all from ``succeeded`` to ``skipped``."""

    due: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    missed: int = 0
    active: int = 0
    """Pending or running."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """By the reason; those that were missed are not among them."""
    lost: int = 0
    """Failed or missed, without a retry or a backfill that succeeded or is active, and without `catch_up = "skip"`."""
    made_good: int = 0
    """Failed or missed, and a retry or a backfill has succeeded."""
    retrying: int = 0
    """Failed, and a retry is active."""
    late: int = 0
    """Started more than a minute after they could, or did not succeed by `finish_by`."""
    retried: int = 0
    """Needed another attempt after one that failed, or were retried as another run."""
    recovered: int = 0
    """Succeeded after an attempt was abandoned: a replica or its machine died."""
    requested_failed: int = 0
    """Runs on request that failed for good in this time. They are not among those that were due."""

    @property
    def is_plain(self) -> bool:
        """All that was due succeeded in time and at once."""
        return self.succeeded == self.due and not (self.late or self.retried or self.recovered or self.requested_failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleReport(Totals):
    """What became of the scheduled times of one schedule."""

    application: str
    schedule: str
    last_failed_run_id: int | None = None
    """The latest of its runs that failed."""
    not_planned_since: datetime | None = None
    """The first scheduled time that no replica has planned yet, if that is more than a minute ago."""
    estimated: bool = False
    """The report begins or ends within skipped times that are stored as one count: it takes them as evenly spaced."""

    @property
    def has_problem(self) -> bool:
        """Something of it was lost, or is not planned."""
        return bool(self.lost or self.requested_failed or self.not_planned_since)

    def next(self, since: datetime, until: datetime) -> tuple[str, ...]:
        """Return the commands that tell more of what was lost, or help."""
        failed, run = self.failed or self.requested_failed, self.last_failed_run_id
        missed = f"leased backfill {shlex.quote(self.schedule)} --from {format_instant(since)} --to {format_instant(until)} --dry-run"
        return (*((f"leased show {run}", f"leased retry {run}") if failed else ()), *([missed] if self.missed else ()))


@dataclass(frozen=True, slots=True)
class Deploy:
    """A generation of definitions that became active."""

    application: str
    generation: int
    revision: int | None
    by: str
    at: datetime
    changes: str | None


@dataclass(frozen=True, slots=True)
class Act:
    """What one user did for one reason, any number of times."""

    application: str
    act: ActKind
    by: str
    why: str | None
    count: int
    schedule: str | None
    """The first of them by name."""
    schedules: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class OutageLine:
    """A time of more than a minute in which no replica of an application was running, or none could plan."""

    application: str
    since: datetime
    until: datetime | None
    """None: it lasts."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report on all that was due from ``since`` up to, but not including, ``until``."""

    database_time: datetime
    since: datetime
    until: datetime
    totals: Totals
    items: Sequence[ScheduleReport]
    """Those of which something was due, failed, or is not planned; the ones with problems first."""
    deploys: Sequence[Deploy]
    acts: Sequence[Act]
    outages: Sequence[OutageLine]
    pruned_until: datetime | None
    """Runs of scheduled times up to then may have been deleted (`keep`); None: none of this time."""

    @property
    def not_planned(self) -> Sequence[ScheduleReport]:
        """The schedules of which something is due that no replica has planned."""
        return [one for one in self.items if one.not_planned_since is not None]

    @property
    def ok(self) -> bool:
        """Nothing was lost."""
        return not (self.totals.lost or self.totals.requested_failed or self.not_planned)

    @property
    def verdict(self) -> str:
        """The report in one sentence."""
        lost, wrong = self.totals.lost, []
        if lost:
            wrong.append(f"{counted(lost, 'scheduled time')} {'was' if lost == 1 else 'were'} lost")
        if failed := self.totals.requested_failed:
            wrong.append(f"{counted(failed, 'run')} on request failed")
        if late := self.not_planned:
            since = min(one.not_planned_since for one in late if one.not_planned_since is not None)
            wrong.append(f"no replica has planned what was due of {counted(len(late), 'schedule')} since {when(since)}")
        headline = " and ".join(wrong) or ("Nothing was lost so far" if self.totals.active else "Nothing was lost")
        return f"{headline}: {', '.join(self._parts())}"

    def _parts(self) -> Iterator[str]:
        totals = self.totals
        yield f"{number(totals.due)} due"
        if not totals.due:
            return
        yield f"{number(totals.succeeded)} succeeded"
        if skipped := sum(totals.skipped.values()):
            yield f"{number(skipped)} skipped ({reasons(totals.skipped)})"
        parts = {"missed": totals.missed, "failed": totals.failed, "of these retried or backfilled": totals.made_good}
        if totals.failed and totals.failed == totals.made_good and not totals.missed:
            parts = {f"failed and {'was' if totals.failed == 1 else 'were'} retried": totals.failed}
        parts |= {"of these being retried": totals.retrying, "cancelled": totals.cancelled, "active": totals.active}
        yield from (f"{number(count)} {what}" for what, count in parts.items() if count)


def reasons(skipped: Mapping[str, int]) -> str:
    """Return why scheduled times were skipped: the only reason, or the count of each."""
    if len(skipped) == 1:
        return next(iter(skipped))
    return ", ".join(f"{number(count)} {reason}" for reason, count in sorted(skipped.items()))


def summed(lines: Iterable[Totals]) -> Totals:
    """Return the sum of several."""
    names = [name for name in Totals.__dataclass_fields__ if name != "skipped"]
    counts: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for line in lines:
        counts.update({name: getattr(line, name) for name in names})
        skipped.update(line.skipped)
    return Totals(**counts, skipped=dict(sorted(skipped.items())))


def by_problem(line: ScheduleReport) -> tuple[object, ...]:
    """Return the key by which lines are sorted: those with problems first, the worst of them first."""
    return (
        not line.has_problem,
        -(line.lost + line.requested_failed),
        not (line.failed or line.missed),
        line.is_plain,
        line.application,
        line.schedule,
    )


def within(first: datetime, last: datetime, count: int, since: datetime, until: datetime) -> int:
    """Return how many of ``count`` evenly spaced times from ``first`` to ``last`` are in a piece of time."""
    if count == 1:
        return int(since <= first < until)
    step = (last - first) / (count - 1)

    def before(moment: datetime) -> int:
        """Return how many are before it: to a microsecond, as the step is rounded."""
        return min(max(0, -((first - moment) // step)), count) if moment <= last else count

    return before(until) - before(since)


def merged(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Return the pieces of time that ``spans`` cover, in order."""
    found: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found
