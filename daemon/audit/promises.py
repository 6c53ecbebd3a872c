"""What is promised of a history, and what breaks a promise, with the facts that show it. Pure."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain, pairwise
from typing import TypeVar

from ..text import counted
from . import facts
from .facts import BackfillRecorded, Due, GrantBegan, Recorded, RunMarked

T = TypeVar("T")
RECOVERED_WITHIN = timedelta(seconds=60)
"""A live replica settles stale leases in a second or two, plus at most 30 s of an open fence."""
TOLERANCE = timedelta(seconds=2)
"""By rule 1 the database's clock may step by ttl - give_up - kill_time, which is 2 s by default."""


class Promise(StrEnum):
    """The promises that every history must keep."""

    TOKENS = "tokens"
    """The tokens of a name's grants strictly increase (rule 5)."""
    OVERLAP = "overlap"
    """A name is granted again only after its grant has ended or gone stale (rule 4)."""
    WRITES = "writes"
    """No fenced write is committed under a grant that has ended (rule 11)."""
    CHILDREN = "children"
    """Work under a grant is dead before the next grant (rules 9 and 20)."""
    RECOVERY = "recovery"
    """An interrupted run resumes in time (rule 18)."""
    TURNS = "turns"
    """A run has one holder at a time, and only that holder ends it (rules 10 and 15)."""
    INSTANTS = "instants"
    """Each due instant is accounted for by exactly one run (rule 13)."""
    FINAL = "final"
    """Each run is over in the end, and no attempt counts as running without its run (rule 15)."""
    EFFECTS = "effects"
    """A job succeeds once in a run, and the effect that a history tells of it is there once (rule 16)."""
    DEFINITIONS = "definitions"
    """An attempt executes the definition of its run, which only an adoption changes (rule 22)."""
    CANCELS = "cancels"
    """A run that was cancelled never goes on, and the run that replaces it starts after its end (rule 23)."""
    BACKFILLS = "backfills"
    """A backfill makes one run of each instant, of none that had succeeded, and no more at a time than it may (rule 23)."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise in words, with the facts that show it."""

    promise: Promise
    what: str
    facts: tuple[object, ...] = ()

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}"


def check(history: Iterable[object], tolerance: timedelta = TOLERANCE) -> list[Violation]:
    """Return all violations in ``history``, in the order of the promises. Two times count as the same if they differ by
    no more than ``tolerance``.
    """
    known = list(history)
    return [
        *tokens_increase(known, tolerance),
        *no_overlap(known, tolerance),
        *settled_in_time(known),
        *accounted_once(known),
        *planned_on(known),
        *run_after_all(known),
        *wholly_over(known),
        *done_once(known),
        *retried_once(known),
        *kept_to(known),
        *cancelled(known, tolerance),
        *replaced_first(known, tolerance),
        *as_many_as_told(known),
        *not_run_again(known),
    ]


def of_kind(kind: type[T], history: Iterable[object]) -> Iterator[T]:
    return (fact for fact in history if isinstance(fact, kind))


# Grants


def tokens_increase(history: Sequence[object], tolerance: timedelta) -> Iterator[Violation]:
    """Yield grants whose token is not above that of each earlier grant of their name, and leases whose row is missing
    or was set back (rule 5).
    """
    highest: dict[str, GrantBegan] = {}
    under: dict[tuple[str, int], GrantBegan] = {}
    for after in in_time(history):
        name, token = after.grant.name, after.grant.token
        before, top = under.get((name, token)), highest.get(name)
        is_raised = top is None or token > top.grant.token
        if before is None and top is not None and not is_raised and after.at - top.at > tolerance:
            before = top  # a later grant, beyond a step of the clock
        if before is not None:
            what = f"lease {name!r} was granted under token {token} at {after.at}, after token {before.grant.token}"
            yield Violation(Promise.TOKENS, what, (before, after))
        under.setdefault((name, token), after)
        if is_raised:
            highest[name] = after
    for fact in history:
        if isinstance(fact, facts.Deleted):
            yield Violation(Promise.TOKENS, f"the row of lease {fact.name!r} is missing", (fact,))
        elif isinstance(fact, facts.HighestToken) and fact.name in highest:
            granted = highest[fact.name]
            if fact.token < granted.grant.token:
                yield Violation(
                    Promise.TOKENS,
                    f"lease {fact.name!r} is at token {fact.token} but was granted under token {granted.grant.token}: "
                    "it was set back",
                    (fact, granted),
                )


def in_time(history: Iterable[object]) -> list[GrantBegan]:
    """Return the grants of a history in the order of the database's time."""
    return sorted(of_kind(GrantBegan, history), key=lambda fact: (fact.at, fact.grant.token))


def no_overlap(history: Sequence[object], tolerance: timedelta) -> Iterator[Violation]:
    """Yield grants of a name whose earlier grant is still in force (rule 4)."""
    ended = {fact.grant: fact.at for fact in of_kind(facts.GrantEnded, history)}
    by_name: dict[str, list[GrantBegan]] = defaultdict(list)
    for granted in in_time(history):
        by_name[granted.grant.name].append(granted)
    for before, after in chain.from_iterable(map(pairwise, by_name.values())):
        free = ended.get(before.grant)
        if free is not None and free > after.at + tolerance:
            yield Violation(
                Promise.OVERLAP,
                f"lease {after.grant.name!r} was granted under token {after.grant.token} at {after.at}, "
                f"while token {before.grant.token} was in force until {free}",
                (before, after),
            )


def settled_in_time(history: Iterable[object]) -> Iterator[Violation]:
    """Yield runs that are recorded as running although their grant has long been over (rule 18)."""
    for fact in of_kind(facts.RunStranded, history):
        if (left := fact.at - fact.since) > RECOVERED_WITHIN:
            over = f"over for {left.total_seconds():.0f} s: more than {RECOVERED_WITHIN.total_seconds():g} s"
            under = f"token {fact.grant.token} of lease {fact.grant.name!r}"
            what = f"run {fact.run} is recorded as running under {under}, which has been {over}"
            yield Violation(Promise.RECOVERY, what, (fact,))


# Scheduled times


def accounted_once(history: Iterable[object]) -> Iterator[Violation]:
    """Yield due instants without a run and instants with two, including those in counted rows (rule 13)."""
    due: dict[str, set[datetime]] = defaultdict(set)
    recorded: dict[str, list[Recorded]] = defaultdict(list)
    for fact in history:
        if isinstance(fact, Due):
            due[fact.schedule].add(fact.at)
        elif isinstance(fact, Recorded) and not fact.manual:
            recorded[fact.schedule].append(fact)
    for schedule in sorted(due.keys() | recorded.keys()):
        runs = sorted(recorded[schedule], key=lambda run: (run.first, run.last, run.run))
        yield from _accounted_once(schedule, sorted(due[schedule]), runs)


def _accounted_once(schedule: str, due: Sequence[datetime], runs: Iterable[Recorded]) -> Iterator[Violation]:
    covered_to: Recorded | None = None
    accounted = set[datetime]()
    for run in runs:
        if covered_to is not None and run.first <= covered_to.last:
            what = f'runs {covered_to.run} and {run.run} of "{schedule}" both account for {run.first}'
            yield Violation(Promise.INSTANTS, what, (covered_to, run))
        if covered_to is None or run.last > covered_to.last:
            covered_to = run
        span = due[bisect_left(due, run.first) : bisect_right(due, run.last)]
        accounted.update(span)
        # All its instants are known: a counted row may begin before those that are due.
        is_whole = bool(due) and due[0] <= run.first and run.last <= due[-1]
        if (span or run.count > 1) and is_whole and run.count != len(span):
            yield miscounted(run, len(span))
    for at in due:
        if at not in accounted:
            what = f'no run accounts for "{schedule}" at {at}: that scheduled time is lost'
            yield Violation(Promise.INSTANTS, what, (Due(schedule, at),))


def miscounted(run: Recorded, due: int) -> Violation:
    stands = f"stands for {counted(run.count, 'scheduled time')} from {run.first} to {run.last}, but {due} were due"
    return Violation(Promise.INSTANTS, f'run {run.run} of "{run.schedule}" {stands}', (run,))


def planned_on(history: Iterable[object]) -> Iterator[Violation]:
    """Yield schedules whose next due instant is not the first that is not planned yet (rule 13)."""
    for fact in of_kind(facts.ScheduleProgress, history):
        if fact.next_due != fact.first_after:
            yield Violation(
                Promise.INSTANTS,
                f'"{fact.schedule}" is planned until {fact.until}; its next scheduled time is recorded as '
                f"{fact.next_due or 'never'} but should be {fact.first_after or 'never'}",
                (fact,),
            )


def run_after_all(history: Iterable[object]) -> Iterator[Violation]:
    """Yield runs of backfills that were skipped once more: what was skipped becomes pending once."""
    for fact in of_kind(Recorded, history):
        if fact.backfill is not None and fact.state == "skipped":
            yield _of_run(Promise.INSTANTS, fact, f"was to run in backfill {fact.backfill}, and is skipped")


def wholly_over(history: Iterable[object]) -> Iterator[Violation]:
    """Yield attempts that are recorded as running without their run (rule 15)."""
    for fact in of_kind(Recorded, history):
        for job in fact.left_running:
            yield Violation(
                Promise.FINAL,
                f'an attempt of job "{job}" of run {fact.run} of "{fact.schedule}" is recorded as running, '
                f"but the run is not running under its grant: {fact.state}",
                (fact,),
            )


# What runs did


def done_once(history: Iterable[object]) -> Iterator[Violation]:
    """Yield jobs that succeeded twice, and succeeded runs with a job that did not (rule 16).

    A job that was attempted counts even if it is no longer defined (rule 22).
    """
    for run in of_kind(Recorded, history):
        for job, attempts in run.succeeded.items():
            times = attempts + run.carried.count(job)
            if times > 1:
                what = f'job "{job}" of run {run.run} of "{run.schedule}" has succeeded {times} times'
                yield Violation(Promise.EFFECTS, what, (run,))
        if run.state == "succeeded":
            for job in dict.fromkeys((*(run.jobs or ()), *run.attempted)):
                if not run.succeeded.get(job) and job not in run.carried:
                    what = f'run {run.run} of "{run.schedule}" has succeeded, but its job "{job}" has not'
                    yield Violation(Promise.EFFECTS, what, (run,))


def retried_once(history: Iterable[object]) -> Iterator[Violation]:
    """Yield runs that were tried again twice, or before they were over, or as another occurrence; and jobs that were
    taken over although no run before has done them (rules 16 and 23).
    """
    runs = {fact.run: fact for fact in of_kind(Recorded, history)}
    retries: dict[int, list[Recorded]] = defaultdict(list)
    for run in runs.values():
        for job in run.not_done:
            yield _of_run(Promise.EFFECTS, run, f'took over job "{job}" as done, which no run before it has done')
        if run.retry_of is not None:
            retries[run.retry_of].append(run)
    for number, of_one in retries.items():
        first, before = of_one[0], runs.get(number)  # which may have been pruned
        if len(of_one) > 1:
            what = f"tries run {number} again, and so does run {of_one[1].run}"
            yield _of_run(Promise.EFFECTS, first, what, *of_one[1:])
        if before is not None and not before.over:
            what = f"tries run {number} again, which is not over: {before.state}"
            yield _of_run(Promise.EFFECTS, first, what, before)
        if before is not None and (before.schedule, before.first) != (first.schedule, first.first):
            what = f"tries run {number} again, which is one of {before.schedule!r} due at {before.first}"
            yield _of_run(Promise.EFFECTS, first, what, before)


def _of_run(promise: Promise, run: Recorded, what: str, *others: Recorded) -> Violation:
    return Violation(promise, f'run {run.run} of "{run.schedule}", due at {run.first}, {what}', (run, *others))


def kept_to(history: Iterable[object]) -> Iterator[Violation]:
    """Yield jobs that a run has attempted and its definition does not have (rule 22)."""
    for run in of_kind(Recorded, history):
        for job in run.strange:
            what = f'run {run.run} has attempted job "{job}", which its definition does not have'
            yield Violation(Promise.DEFINITIONS, what, (run,))


# Cancels


def cancelled(history: Iterable[object], tolerance: timedelta) -> Iterator[Violation]:
    """Yield runs that were marked as cancelled and wait, ended otherwise, or went on after their end (rule 23)."""
    for mark in of_kind(RunMarked, history):
        if mark.state not in {"running", "cancelled"}:
            yield went_on(mark, f"was marked as cancelled at {mark.at}, and is {mark.state}")
        over = mark.ended if mark.state == "cancelled" else None
        if over is not None and mark.last_start is not None and mark.last_start > over + tolerance:
            yield went_on(mark, f"ended as cancelled at {over}, and an attempt started at {mark.last_start}")


def replaced_first(history: Iterable[object], tolerance: timedelta) -> Iterator[Violation]:
    """Yield replaced runs that were not over when the newer run started (rule 23)."""
    for fact in of_kind(RunMarked, history):
        if fact.newer_start is not None and (fact.ended is None or fact.newer_start < fact.ended - tolerance):
            end = "is not over" if fact.ended is None else f"ended at {fact.ended}"
            started = f"run {fact.replaced_by}, which replaced it, started at {fact.newer_start}"
            yield went_on(fact, f"{end}, and {started}")


def went_on(mark: RunMarked, what: str, *others: object) -> Violation:
    return Violation(Promise.CANCELS, f'run {mark.run} of "{mark.schedule}" {what}', (mark, *others))


# Backfills


def as_many_as_told(history: Sequence[object]) -> Iterator[Violation]:
    """Yield backfills with fewer or more runs than instants that were to run, with two runs of one instant, and with a
    run of another time or schedule (rule 23).
    """
    runs: dict[int | None, list[Recorded]] = defaultdict(list)
    for run in of_kind(Recorded, history):
        runs[run.backfill].append(run)
    for backfill in of_kind(BackfillRecorded, history):
        of_it = runs[backfill.backfill]
        if len(of_it) != backfill.instants:
            yield of_backfill(
                backfill,
                f"should run {counted(backfill.instants, 'scheduled time')}, but has {counted(len(of_it), 'run')}",
            )
        seen: dict[datetime, Recorded] = {}
        for run in of_it:
            if run.schedule != backfill.schedule or not backfill.first <= run.first <= run.last <= backfill.last:
                yield of_backfill(backfill, f'has run {run.run} of "{run.schedule}", due at {run.first}', run)
            if run.first in seen:
                both = f"{seen[run.first].run} and {run.run}"
                yield of_backfill(backfill, f"has runs {both}, both due at {run.first}", seen[run.first], run)
            seen[run.first] = run


def not_run_again(history: Iterable[object]) -> Iterator[Violation]:
    """Yield runs of backfills whose instant had succeeded before (rule 23)."""
    runs = {fact.run: fact for fact in of_kind(Recorded, history)}
    for run in runs.values():
        before = run
        while run.backfill is not None and before.retry_of in runs:
            before = runs[before.retry_of]
            if before.state == "succeeded":
                what = f"is one of backfill {run.backfill}, although run {before.run} of that time had succeeded"
                yield _of_run(Promise.BACKFILLS, run, what, before)
                break


def of_backfill(backfill: BackfillRecorded, what: str, *others: object) -> Violation:
    text = f'backfill {backfill.backfill} of "{backfill.schedule}" {what}'
    return Violation(Promise.BACKFILLS, text, (backfill, *others))
