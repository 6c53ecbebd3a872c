"""The promise that an interrupted run resumes in time."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from daemon.audit.promises import Promise, Violation
from daemon.states import MOST_ABANDONED

from .facts import Fact, Outage, Recorded, RunClaimed, RunLeft, RunSettled, Starved, starved
from .tenures import Tenure, Tenures


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
    """The grants that other runs had meanwhile, of the lease under which it went on: schedules may share a lock."""
    apart: tuple[tuple[datetime, datetime], ...] = ()
    """The times in which it, or runs of its schedule, had been settled so often that it may have had to wait for
    others of its kind (rule 16)."""

    @property
    def took(self) -> timedelta:
        """The time from the last sign of life of its grant to the next grant of its lease."""
        return (self.tenure.succeeded_at or self.claimed.at) - self.tenure.last_sign

    def possible_from(self, within: timedelta) -> datetime:
        """Return when it could be claimed: its grant was stale, its lease free, no outage on, and it not on its
        last chance.

        What of these began more than ``within`` later was no obstacle: the run was late already.
        """
        since = self.tenure.until or self.tenure.last_sign
        obstacles = [(outage.began, outage.ended) for outage in self.outages]
        obstacles += [(other.granted.at, other.over_at) for other in self.other_grants]
        obstacles += self.apart
        for began, ended in sorted(obstacles):
            if began <= since + within:
                since = max(since, ended)
        return since


def recovered_in_time(
    history: Iterable[Fact], tenures: Tenures, within: timedelta, everywhere: Container[str] | None = None
) -> Iterator[Violation]:
    """Yield runs that did not resume ``within`` this time after their grant was stale (rule 18).

    A run whose definition is not ``everywhere`` may have to wait for a replica that has it. The
    time for which a machine was busy with others does not count.
    """
    facts = list(history)
    busy = [fact for fact in facts if isinstance(fact, Starved)]
    for recovery in recoveries(facts, tenures):
        if everywhere is not None and recovery.settled.digest not in everywhere:
            continue
        possible_from = recovery.possible_from(within)
        late = recovery.claimed.at - possible_from
        if late > within and late - starved(busy, possible_from, recovery.claimed.at) > within:
            yield Violation(
                Promise.RECOVERY,
                f"run {recovery.claimed.run} resumed {late.total_seconds():.2f} s after its lost grant had gone stale, "
                f"without an outage in between: more than {within.total_seconds():g} s",
                (recovery.tenure.granted, recovery.settled, recovery.claimed),
            )


def recoveries(history: Iterable[Fact], tenures: Tenures) -> Iterator[Recovery]:
    """Yield each run that was settled and claimed again."""
    facts = list(history)
    outages = sorted((fact for fact in facts if isinstance(fact, Outage)), key=lambda outage: outage.began)
    settlements = _Settlements({fact.run: fact.schedule for fact in facts if isinstance(fact, Recorded)})
    left: dict[int, _Left] = {}
    moves = [fact for fact in facts if isinstance(fact, RunClaimed | RunSettled | RunLeft)]
    for fact in sorted(moves, key=lambda fact: fact.at):
        match fact:
            case RunSettled():
                settlements.add(fact)
                left[fact.run] = _Left(fact)
                _note(left, settlements, fact.at)  # all of its schedule may be on their last chance since this death
            case RunLeft(state="succeeded"):
                settlements.forgive(fact)
                _note(left, settlements, fact.at)
            case RunClaimed() if fact.run in left:
                one = left.pop(fact.run)
                one.note(fact.at, is_apart=False)
                tenure = None if one.settled.over else tenures.of(one.settled.grant)
                if tenure is not None:
                    meanwhile = _during(outages, tenure.last_sign, fact.at)
                    between = tenures.between(one.settled.grant, fact.grant)
                    yield Recovery(tenure, one.settled, fact, meanwhile, between, tuple(one.apart))


@dataclass(slots=True)
class _Left:
    """A run that was settled and not yet claimed, and when it was on its last chance."""

    settled: RunSettled
    apart: list[tuple[datetime, datetime]] = field(default_factory=list)
    since: datetime | None = None

    def note(self, at: datetime, *, is_apart: bool) -> None:
        if is_apart and self.since is None:
            self.since = at
        elif not is_apart and self.since is not None:
            self.apart.append((self.since, at))
            self.since = None


def _note(left: Mapping[int, _Left], settlements: "_Settlements", at: datetime) -> None:
    for run, one in left.items():
        one.note(at, is_apart=settlements.last_chance(run))


class _Settlements:
    """How often each run was settled so far, and by how many deaths runs of each schedule since one succeeded."""

    def __init__(self, schedules: Mapping[int, str]) -> None:
        self._schedules = schedules
        self._runs: dict[int, int] = defaultdict(int)
        self._deaths: dict[str | None, set[str]] = defaultdict(set)

    def add(self, settled: RunSettled) -> None:
        self._runs[settled.run] += 1
        self._deaths[self._schedules.get(settled.run)].add(settled.grant.holder)

    def forgive(self, left: RunLeft) -> None:
        self._deaths.pop(self._schedules.get(left.run), None)

    def last_chance(self, run: int) -> bool:
        """Return whether a run goes on only where no other of its kind does (ADR 29)."""
        schedule = self._schedules.get(run)
        deaths = 0 if schedule is None else len(self._deaths[schedule])
        return max(self._runs[run], deaths) >= MOST_ABANDONED - 1


def _during(outages: Iterable[Outage], since: datetime, until: datetime) -> tuple[Outage, ...]:
    return tuple(outage for outage in outages if outage.began < until and outage.ended > since)
