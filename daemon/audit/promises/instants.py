"""Each due instant is accounted for by exactly one run, and each run is over in the end."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from ..facts import Due, Fact, Recorded, ScheduleProgress
from ..violations import Promise, Violation


def accounted_once(history: Iterable[Fact], *, complete: bool = False) -> Iterator[Violation]:
    """Each due instant has one run of its own, or is one of those that one counted run stands for (rule 13)."""
    due, recorded = _by_schedule(history)
    for schedule in sorted(due.keys() | recorded.keys()):
        yield from _accounted_once(schedule, sorted(due[schedule]), sorted(recorded[schedule], key=_span), complete)


def planned_on(history: Iterable[Fact]) -> Iterator[Violation]:
    """A schedule is planned next at the first instant that has not been planned yet (rule 13)."""
    for fact in history:
        if isinstance(fact, ScheduleProgress) and fact.next_due != fact.first_after:
            yield Violation(
                Promise.INSTANTS,
                f'"{fact.schedule}" is planned until {fact.until} and is due next {_at(fact.next_due)}, '
                f"but its first instant after that is {_at(fact.first_after)}",
                (fact,),
            )


def all_over(history: Iterable[Fact]) -> Iterator[Violation]:
    """Each run has come to its end."""
    for fact in history:
        if isinstance(fact, Recorded) and not fact.over:
            yield Violation(
                Promise.FINAL,
                f'run {fact.run} of "{fact.schedule}", due at {fact.first}, is not over: {fact.state}',
                (fact,),
            )


def wholly_over(history: Iterable[Fact]) -> Iterator[Violation]:
    """No attempt of a job counts as running without its run (rule 15)."""
    for fact in history:
        if isinstance(fact, Recorded):
            for job in fact.left_running:
                yield Violation(
                    Promise.FINAL,
                    f'an attempt of job "{job}" of run {fact.run} of "{fact.schedule}" counts as running, '
                    f"but the run does not run under its grant: {fact.state}",
                    (fact,),
                )


def _by_schedule(history: Iterable[Fact]) -> tuple[dict[str, list[datetime]], dict[str, list[Recorded]]]:
    due: dict[str, list[datetime]] = defaultdict(list)
    recorded: dict[str, list[Recorded]] = defaultdict(list)
    for fact in history:
        if isinstance(fact, Due):
            due[fact.schedule].append(fact.at)
        elif isinstance(fact, Recorded) and not fact.manual:
            recorded[fact.schedule].append(fact)
    return due, recorded


def _accounted_once(schedule: str, due: list[datetime], runs: list[Recorded], complete: bool) -> Iterator[Violation]:
    covered_to: Recorded | None = None
    accounted = [False] * len(due)
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
        for index in span:
            accounted[index] = True
        if (complete or ((span or run.count > 1) and _is_whole(due, run))) and run.count != len(span):
            yield Violation(
                Promise.INSTANTS,
                f'run {run.run} of "{schedule}" stands for {run.count} instants from {run.first} to {run.last}, where {len(span)} were due',
                (run,),
            )
    for at, done in zip(due, accounted, strict=True):
        if not done:
            yield Violation(
                Promise.INSTANTS, f'nothing accounts for "{schedule}" at {at}: it is lost', (Due(schedule, at),)
            )


def _is_whole(due: list[datetime], run: Recorded) -> bool:
    """Tell whether all of the run's instants are among the known ones: a counted row may have begun before."""
    return bool(due) and due[0] <= run.first and run.last <= due[-1]


def _at(instant: datetime | None) -> str:
    return "never" if instant is None else f"at {instant}"


def _span(run: Recorded) -> tuple[datetime, datetime, int]:
    return run.first, run.last, run.run
