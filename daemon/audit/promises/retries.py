"""The promise that a run is tried again once, when it is over, and that what was done before is not claimed again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from ..facts import Fact, Recorded
from ..violations import Promise, Violation


def retried_once(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield runs that were tried again twice, or before they were over, or as another occurrence; and jobs that were
    taken over although no run before has done them (rules 16 and 23).
    """
    runs = {fact.run: fact for fact in history if isinstance(fact, Recorded)}
    retries: dict[int, list[Recorded]] = defaultdict(list)
    for run in runs.values():
        for job in run.not_done:
            yield _wrong(run, f'took over job "{job}" as done, which no run before it has done')
        if run.retry_of is not None:
            retries[run.retry_of].append(run)
    for number, of_one in retries.items():
        first, before = of_one[0], runs.get(number)  # which may have been pruned
        if len(of_one) > 1:
            yield _wrong(first, f"tries run {number} again, and so does run {of_one[1].run}", *of_one[1:])
        if before is not None and not before.over:
            yield _wrong(first, f"tries run {number} again, which is not over: {before.state}", before)
        if before is not None and (before.schedule, before.first) != (first.schedule, first.first):
            what = f"tries run {number} again, which is one of {before.schedule!r} due at {before.first}"
            yield _wrong(first, what, before)


def _wrong(run: Recorded, what: str, *facts: Fact) -> Violation:
    return Violation(Promise.EFFECTS, f'run {run.run} of "{run.schedule}", due at {run.first}, {what}', (run, *facts))
