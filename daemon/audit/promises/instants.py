"""The promises that each due instant has exactly one run, and that each run is over in the end."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from ...text import counted
from ..facts import Due, Fact, Recorded, ScheduleProgress
from ..violations import Promise, Violation


def accounted_once(history: Iterable[Fact], *, complete: bool = False) -> Iterator[Violation]:
    """Yield due instants without a run and instants with two, also in counted rows (rule 13)."""
    due, recorded = _by_schedule(history)
    for schedule in sorted(due.keys() | recorded.keys()):
        instants = [Due(schedule, at, certain) for at, certain in sorted(due[schedule].items())]
        yield from _accounted_once(schedule, instants, sorted(recorded[schedule], key=_span), complete)


def planned_on(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield schedules whose next due instant is not the first that is not planned yet (rule 13)."""
    for fact in history:
        if isinstance(fact, ScheduleProgress) and fact.next_due != fact.first_after:
            yield Violation(
                Promise.INSTANTS,
                f'"{fact.schedule}" is planned until {fact.until}; its next scheduled time is recorded as '
                f"{_shown(fact.next_due)} but should be {_shown(fact.first_after)}",
                (fact,),
            )


def all_over(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield runs that are not over."""
    for fact in history:
        if isinstance(fact, Recorded) and not fact.over:
            yield Violation(
                Promise.FINAL,
                f'run {fact.run} of "{fact.schedule}", due at {fact.first}, is not over: {fact.state}',
                (fact,),
            )


def wholly_over(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield attempts that are recorded as running without their run (rule 15)."""
    for fact in history:
        if isinstance(fact, Recorded):
            for job in fact.left_running:
                yield Violation(
                    Promise.FINAL,
                    f'an attempt of job "{job}" of run {fact.run} of "{fact.schedule}" is recorded as running, '
                    f"but the run is not running under its grant: {fact.state}",
                    (fact,),
                )


def run_after_all(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield runs of backfills that were skipped once more: what was skipped becomes pending once."""
    for fact in history:
        if isinstance(fact, Recorded) and fact.backfill is not None and fact.state == "skipped":
            yield Violation(
                Promise.INSTANTS,
                f'run {fact.run} of "{fact.schedule}", due at {fact.first}, was to run in backfill {fact.backfill}, '
                "and is skipped",
                (fact,),
            )


def _by_schedule(history: Iterable[Fact]) -> tuple[dict[str, dict[datetime, bool]], dict[str, list[Recorded]]]:
    due: dict[str, dict[datetime, bool]] = defaultdict(dict)
    recorded: dict[str, list[Recorded]] = defaultdict(list)
    for fact in history:
        if isinstance(fact, Due):
            due[fact.schedule][fact.at] = fact.certain or due[fact.schedule].get(fact.at, False)
        elif isinstance(fact, Recorded) and not fact.manual:
            recorded[fact.schedule].append(fact)
    return due, recorded


def _accounted_once(schedule: str, instants: list[Due], runs: list[Recorded], complete: bool) -> Iterator[Violation]:
    covered_to: Recorded | None = None
    due = [instant.at for instant in instants]
    accounted = [not instant.certain for instant in instants]
    for run in runs:
        if covered_to is not None and run.first <= covered_to.last:
            yield Violation(
                Promise.INSTANTS,
                f'runs {covered_to.run} and {run.run} of "{schedule}" both account for {run.first}',
                (covered_to, run),
            )
        if covered_to is None or run.last > covered_to.last:
            covered_to = run
        span = range(bisect_left(due, run.first), bisect_right(due, run.last))
        least = sum(instants[index].certain for index in span)
        for index in span:
            accounted[index] = True
        # A backfill also runs instants at which the schedule was not due by the timing of then.
        known = (complete and run.backfill is None) or ((span or run.count > 1) and _is_whole(due, run))
        if known and not least <= run.count <= len(span):
            yield Violation(
                Promise.INSTANTS,
                f'run {run.run} of "{schedule}" stands for {counted(run.count, "scheduled time")} from {run.first} to '
                f"{run.last}, but {len(span)} were due",
                (run,),
            )
    for at, done in zip(due, accounted, strict=True):
        if not done:
            yield Violation(
                Promise.INSTANTS,
                f'no run accounts for "{schedule}" at {at}: that scheduled time is lost',
                (Due(schedule, at),),
            )


def _is_whole(due: list[datetime], run: Recorded) -> bool:
    """Return whether all instants of the run are known: a counted row may begin before them."""
    return bool(due) and due[0] <= run.first and run.last <= due[-1]


def _shown(instant: datetime | None) -> str:
    return "never" if instant is None else str(instant)


def _span(run: Recorded) -> tuple[datetime, datetime, int]:
    return run.first, run.last, run.run
