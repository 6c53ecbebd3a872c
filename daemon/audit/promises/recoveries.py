"""What was cut off goes on in time."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..facts import Fact, Outage, RunClaimed, RunSettled, RunStranded
from ..tenures import Tenure, Tenures
from ..violations import Promise, Violation


@dataclass(frozen=True, slots=True)
class Recovery:
    """A run that was taken from its holder, and its next claim."""

    tenure: Tenure
    """The grant that it had."""
    settled: RunSettled
    claimed: RunClaimed
    outages: tuple[Outage, ...]
    """Those that fell into it, by their beginning."""
    passed_over: tuple[Tenure, ...] = ()
    """The grants of its lease that other runs had meanwhile: schedules may share a lock."""

    @property
    def took(self) -> timedelta:
        """From the last sign of life of its grant to the next grant of its lease."""
        return (self.tenure.succeeded_at or self.claimed.at) - self.tenure.last_sign

    def possible_from(self, within: timedelta) -> datetime:
        """From when on it could be claimed at the latest: its grant was stale, nobody else had its lease, and no outage stood in the way.

        An outage that began when it was late already, by more than ``within``, stood in nobody's way; nor did such a grant.
        """
        since = self.tenure.until or self.tenure.last_sign
        obstacles = [(one.began, one.ended) for one in self.outages]
        obstacles += [(one.granted.at, one.over_at) for one in self.passed_over]
        for began, ended in sorted(obstacles):
            if began <= since + within:
                since = max(since, ended)
        return since


def recovered_in_time(history: Iterable[Fact], tenures: Tenures, within: timedelta) -> Iterator[Violation]:
    """A run that was taken from its holder goes on ``within`` that time of its grant having gone stale (rule 18)."""
    facts = list(history)
    for one in recoveries(facts, tenures):
        late = one.claimed.at - one.possible_from(within)
        if late > within:
            yield Violation(
                Promise.RECOVERY,
                f"run {one.claimed.run} went on {late.total_seconds():.2f} s after the grant that it had lost had gone stale, "
                f"and no outage stood in the way: more than {within.total_seconds():g} s",
                (one.tenure.granted, one.settled, one.claimed),
            )
    for fact in facts:
        if isinstance(fact, RunStranded) and (left := fact.at - fact.since) > within:
            yield Violation(
                Promise.RECOVERY,
                f"run {fact.run} counts as running under token {fact.grant.token} of lease {fact.grant.name!r}, "
                f"which has been over for {left.total_seconds():.0f} s, more than {within.total_seconds():g} s",
                (fact,),
            )


def recoveries(history: Iterable[Fact], tenures: Tenures) -> Iterator[Recovery]:
    """Yield each run that was taken from its holder and claimed anew."""
    facts = list(history)
    outages = sorted((fact for fact in facts if isinstance(fact, Outage)), key=lambda one: one.began)
    by_run: dict[int, list[RunClaimed | RunSettled]] = defaultdict(list)
    for fact in facts:
        if isinstance(fact, RunClaimed | RunSettled):
            by_run[fact.run].append(fact)
    for told in by_run.values():
        cut: RunSettled | None = None
        for fact in sorted(told, key=lambda fact: fact.at):
            if isinstance(fact, RunSettled):
                cut = None if fact.over else fact
                continue
            tenure = tenures.of(cut.grant) if cut is not None else None
            if cut is not None and tenure is not None:
                fallen_in = _fallen_in(outages, tenure.last_sign, fact.at)
                yield Recovery(tenure, cut, fact, fallen_in, tenures.between(cut.grant, fact.grant))
            cut = None


def _fallen_in(outages: Iterable[Outage], since: datetime, until: datetime) -> tuple[Outage, ...]:
    return tuple(one for one in outages if one.began < until and one.ended > since)
