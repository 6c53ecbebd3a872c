"""The promise that a backfill makes one run of each of its instants, of none that had succeeded, and no more at a time than it may.

That no instant has two runs which are no retries of each other, and no run two retries, is told by
`instants` and `retries`, whoever requested them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from ...text import counted
from ..facts import BackfillRecorded, Fact, Recorded, RunClaimed, RunLeft, RunSettled
from ..violations import Promise, Violation


def as_many_as_told(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield backfills with fewer or more runs than instants that were to run, with two runs of one instant, and with a
    run of another time or schedule (rule 23).
    """
    facts = list(history)
    runs = _runs(facts)
    for backfill in _backfills(facts):
        of_it = runs[backfill.backfill]
        if len(of_it) != backfill.instants:
            yield _wrong(
                backfill,
                f"should run {counted(backfill.instants, 'scheduled time')}, but has {counted(len(of_it), 'run')}",
            )
        seen: dict[datetime, Recorded] = {}
        for run in of_it:
            if run.schedule != backfill.schedule or not backfill.first <= run.first <= run.last <= backfill.last:
                yield _wrong(backfill, f'has run {run.run} of "{run.schedule}", due at {run.first}', run)
            if run.first in seen:
                both = f"{seen[run.first].run} and {run.run}"
                yield _wrong(backfill, f"has runs {both}, both due at {run.first}", seen[run.first], run)
            seen[run.first] = run


def not_run_again(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield runs of backfills whose instant had succeeded before (rule 23)."""
    runs = {fact.run: fact for fact in history if isinstance(fact, Recorded)}
    for run in runs.values():
        before = run
        while run.backfill is not None and before.retry_of in runs:
            before = runs[before.retry_of]
            if before.state == "succeeded":
                yield Violation(
                    Promise.BACKFILLS,
                    f'run {run.run} of "{run.schedule}", due at {run.first}, is one of backfill {run.backfill}, although '
                    f"run {before.run} of that time had succeeded",
                    (run, before),
                )
                break


def as_many_at_a_time(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield claims of a backfill's run beside as many others of it as may be at work (rule 23).

    Only a complete history has the claims.
    """
    facts = list(history)
    backfills = {backfill.backfill: backfill for backfill in _backfills(facts)}
    of = {run.run: number for number, runs in _runs(facts).items() if number in backfills for run in runs}
    moves = [fact for fact in facts if isinstance(fact, RunClaimed | RunLeft | RunSettled) and fact.run in of]
    at_work: dict[int, set[int]] = defaultdict(set)
    for fact in sorted(moves, key=lambda fact: fact.at):
        backfill, beside = backfills[of[fact.run]], at_work[of[fact.run]]
        if not isinstance(fact, RunClaimed):
            beside.discard(fact.run)
            continue
        beside.add(fact.run)
        if len(beside) > backfill.at_most:
            what = f"runs at most {backfill.at_most} at a time, but {len(beside)} were running at {fact.at}"
            yield _wrong(backfill, what, fact)


def _backfills(facts: Iterable[Fact]) -> Iterator[BackfillRecorded]:
    return (fact for fact in facts if isinstance(fact, BackfillRecorded))


def _runs(facts: Iterable[Fact]) -> dict[int, list[Recorded]]:
    """Return the runs of each backfill."""
    found: dict[int, list[Recorded]] = defaultdict(list)
    for fact in facts:
        if isinstance(fact, Recorded) and fact.backfill is not None:
            found[fact.backfill].append(fact)
    return found


def _wrong(backfill: BackfillRecorded, what: str, *facts: Fact) -> Violation:
    text = f'backfill {backfill.backfill} of "{backfill.schedule}" {what}'
    return Violation(Promise.BACKFILLS, text, (backfill, *facts))
