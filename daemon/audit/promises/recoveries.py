"""The promise that an interrupted run resumes in time."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ...states import MOST_ABANDONED
from ..facts import Fact, Outage, RunClaimed, RunSettled, RunStranded
from ..tenures import Tenure, Tenures
from ..violations import Promise, Violation


@dataclass(frozen=True, slots=True)
class Recovery:
    """A run that was settled, and its next claim."""

    tenure: Tenure
    """The grant that it lost."""
    settled: RunSettled
    claimed: RunClaimed
    outages: tuple[Outage, ...]
    """The outages meanwhile, in order."""
    other_grants: tuple[Tenure, ...] = ()
    """The grants of its lease that other runs had meanwhile: schedules may share a lock."""
    times: int = 1
    """How often the run had been settled by then."""

    @property
    def took(self) -> timedelta:
        """The time from the last sign of life of its grant to the next grant of its lease."""
        return (self.tenure.succeeded_at or self.claimed.at) - self.tenure.last_sign

    def possible_from(self, within: timedelta) -> datetime:
        """Return when it could be claimed: its grant was stale, its lease free, and no outage on.

        An outage or another grant that began more than ``within`` later was no obstacle: the run
        was late already.
        """
        since = self.tenure.until or self.tenure.last_sign
        obstacles = [(outage.began, outage.ended) for outage in self.outages]
        obstacles += [(other.granted.at, other.over_at) for other in self.other_grants]
        for began, ended in sorted(obstacles):
            if began <= since + within:
                since = max(since, ended)
        return since


def recovered_in_time(
    history: Iterable[Fact], tenures: Tenures, within: timedelta, everywhere: Container[str] | None = None
) -> Iterator[Violation]:
    """Yield runs that did not resume ``within`` this time after their grant was stale (rule 18).

    A run that goes by a definition that is not ``everywhere`` may have to wait for who has it, and one on
    its last chance for others of its kind (rule 16).
    """
    facts = list(history)
    for recovery in recoveries(facts, tenures):
        if everywhere is not None and recovery.settled.digest not in everywhere:
            continue
        if recovery.times >= MOST_ABANDONED - 1:
            continue
        late = recovery.claimed.at - recovery.possible_from(within)
        if late > within:
            yield Violation(
                Promise.RECOVERY,
                f"run {recovery.claimed.run} resumed {late.total_seconds():.2f} s after its lost grant had gone stale, "
                f"without an outage in between: more than {within.total_seconds():g} s",
                (recovery.tenure.granted, recovery.settled, recovery.claimed),
            )
    for fact in facts:
        if isinstance(fact, RunStranded) and (left := fact.at - fact.since) > within:
            yield Violation(
                Promise.RECOVERY,
                f"run {fact.run} is recorded as running under token {fact.grant.token} of lease {fact.grant.name!r}, "
                f"which has been over for {left.total_seconds():.0f} s: more than {within.total_seconds():g} s",
                (fact,),
            )


def recoveries(history: Iterable[Fact], tenures: Tenures) -> Iterator[Recovery]:
    """Yield each run that was settled and claimed again."""
    facts = list(history)
    outages = sorted((fact for fact in facts if isinstance(fact, Outage)), key=lambda outage: outage.began)
    by_run: dict[int, list[RunClaimed | RunSettled]] = defaultdict(list)
    for fact in facts:
        if isinstance(fact, RunClaimed | RunSettled):
            by_run[fact.run].append(fact)
    for of_run in by_run.values():
        settled: RunSettled | None = None
        times = 0
        for fact in sorted(of_run, key=lambda fact: fact.at):
            if isinstance(fact, RunSettled):
                settled = None if fact.over else fact
                times += 1
                continue
            tenure = tenures.of(settled.grant) if settled is not None else None
            if settled is not None and tenure is not None:
                meanwhile = _during(outages, tenure.last_sign, fact.at)
                yield Recovery(tenure, settled, fact, meanwhile, tenures.between(settled.grant, fact.grant), times)
            settled = None


def _during(outages: Iterable[Outage], since: datetime, until: datetime) -> tuple[Outage, ...]:
    return tuple(outage for outage in outages if outage.began < until and outage.ended > since)
