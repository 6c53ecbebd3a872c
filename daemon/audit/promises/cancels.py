"""The promise that a run marked as cancelled never goes on, and that a newer one does not start beside it."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from ..facts import Fact, RunClaimed, RunMarked, Written
from ..violations import Promise, Violation


def never_goes_on(history: Iterable[Fact], tolerance: timedelta) -> Iterator[Violation]:
    """Yield marked runs that wait or ended otherwise, and what began or was written after their end
    (rule 23).
    """
    facts = list(history)
    marked = {fact.run: fact for fact in facts if isinstance(fact, RunMarked)}
    for mark in marked.values():
        if mark.state not in {"running", "cancelled"}:
            yield _wrong(mark, f"was marked as cancelled at {mark.at}, and is {mark.state}")
        if mark.last_start is not None and _after_end(mark, mark.last_start, tolerance):
            yield _wrong(mark, f"ended as cancelled at {mark.ended}, and an attempt started at {mark.last_start}")
    for fact in facts:
        if not isinstance(fact, RunClaimed | Written) or fact.run not in marked:
            continue
        mark = marked[fact.run]
        if _after_end(mark, fact.at, tolerance):
            what = "was claimed" if isinstance(fact, RunClaimed) else "wrote an effect"
            yield _wrong(mark, f"ended as cancelled at {mark.ended}, and {what} at {fact.at}", fact)


def replaced_first(history: Iterable[Fact], tolerance: timedelta) -> Iterator[Violation]:
    """Yield replaced runs that were not over when the newer run started (rule 23)."""
    for fact in history:
        if not isinstance(fact, RunMarked) or fact.newer_start is None:
            continue
        if fact.ended is None or fact.newer_start < fact.ended - tolerance:
            end = "is not over" if fact.ended is None else f"ended at {fact.ended}"
            started = f"run {fact.replaced_by}, which replaced it, started at {fact.newer_start}"
            yield _wrong(fact, f"{end}, and {started}")


def _after_end(mark: RunMarked, at: datetime, tolerance: timedelta) -> bool:
    return mark.state == "cancelled" and mark.ended is not None and at > mark.ended + tolerance


def _wrong(mark: RunMarked, what: str, *facts: Fact) -> Violation:
    return Violation(Promise.CANCELS, f'run {mark.run} of "{mark.schedule}" {what}', (mark, *facts))
