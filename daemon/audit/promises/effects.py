"""The promise that a job succeeds once in a run, and that the effect which a history tells of is there once."""

from collections import Counter
from collections.abc import Iterable, Iterator

from ..facts import Fact, Recorded, Written
from ..violations import Promise, Violation


def done_once(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield jobs that succeeded twice, and succeeded runs with a job that did not (rule 16).

    A job that was attempted counts also if it is no longer defined (rule 22).
    """
    for run in _runs(history):
        for job, attempts in run.succeeded.items():
            times = attempts + run.carried.count(job)
            if times > 1:
                yield Violation(
                    Promise.EFFECTS,
                    f'job "{job}" of run {run.run} of "{run.schedule}" has succeeded {times} times',
                    (run,),
                )
        if run.state == "succeeded":
            for job in dict.fromkeys((*(run.jobs or ()), *run.attempted)):
                if not run.succeeded.get(job) and job not in run.carried:
                    yield Violation(
                        Promise.EFFECTS,
                        f'run {run.run} of "{run.schedule}" has succeeded, but its job "{job}" has not',
                        (run,),
                    )


def written_once(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield effects that were written twice, and missing effects of jobs that succeeded."""
    facts = list(history)
    writes = Counter((fact.run, fact.job) for fact in facts if isinstance(fact, Written) and fact.run is not None)
    for (run_id, job), times in writes.items():
        if times > 1:
            yield Violation(Promise.EFFECTS, f'the effect of job "{job}" of run {run_id} was written {times} times')
    for run in _runs(facts):
        for job in run.succeeded:
            if not writes[run.run, job]:
                yield Violation(
                    Promise.EFFECTS, f'job "{job}" of run {run.run} has succeeded, but its effect is missing', (run,)
                )


def _runs(history: Iterable[Fact]) -> Iterator[Recorded]:
    return (fact for fact in history if isinstance(fact, Recorded))
