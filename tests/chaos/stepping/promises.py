"""What is promised of a history in which the database's clock steps, and what replicas reported. Pure, besides the reading of
their logs.
"""

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path

from lease.timing import LeaseTiming
from tests.checker import Promise, Violation
from tests.checker.facts import Fact, GrantBegan, GrantRenewed, RunClaimed, RunMarked, Worked
from tests.checker.tenures import Tenures

from ..history import lines
from ..witness.rulings import Ruling
from .steps import Step, SteppedClocks

KILLED_WITHIN = timedelta(seconds=0.5)
"""The difference between when work must be dead and when a busy machine has killed it."""


def in_true_time(
    facts: Iterable[Fact], clocks: SteppedClocks, ended: Mapping[int, datetime] | None = None
) -> Iterator[Fact]:
    """Yield the facts with the ends of leases, and the ends and starts of runs, as instants and not as readings of
    the clock.
    """
    facts = list(facts)
    claims = sorted((fact for fact in facts if isinstance(fact, RunClaimed)), key=lambda claim: claim.at, reverse=True)
    started = {claim.run: claim.at for claim in claims}
    for fact in facts:
        if isinstance(fact, GrantBegan | GrantRenewed) and fact.until is not None:
            yield replace(fact, until=clocks.stale_from(fact.until, fact.at))
        elif isinstance(fact, RunMarked) and ended is not None:
            start = None if fact.newer_start is None else started.get(fact.replaced_by or 0, fact.newer_start)
            yield replace(fact, ended=ended.get(fact.run), newer_start=start)
        else:
            yield fact


def as_shown(ruled: Iterable[Ruling], clocks: SteppedClocks) -> list[Ruling]:
    """Return the rulings of a schedule, each from the furthest reading that there was when it came: until
    then instants may have been planned by the one before.
    """
    return [replace(one, at=clocks.furthest(one.at)) for one in ruled]


def granted_while_live(readings: Iterable[Fact], clocks: SteppedClocks) -> Iterator[Violation]:
    """Yield grants of a lease that was live by what the clock showed then; ``readings`` are the facts as
    the database has them (rule 4).
    """
    for before, after in Tenures(readings).successions():
        shown = clocks.shown_at(after.granted.at)
        if before.until is not None and before.ended is None and shown < before.until:
            yield Violation(
                Promise.OVERLAP,
                f"lease {after.grant.name!r} was granted under token {after.grant.token} when the clock showed {shown}, "
                f"while token {before.grant.token} was in force until {before.until}",
                (before.granted, after.granted),
            )


def outlived(facts: Iterable[Fact], timing: LeaseTiming) -> Iterator[Violation]:
    """Yield work that was alive when its holder's own clock should have stopped it, whatever that of the
    database showed (rules 2 and 9).
    """
    facts = list(facts)
    tenures, most = Tenures(facts), timedelta(seconds=timing.give_up + timing.kill_time) + KILLED_WITHIN
    for fact in facts:
        tenure = tenures.of(fact.grant) if isinstance(fact, Worked) else None
        if isinstance(fact, Worked) and tenure is not None and fact.last_seen > tenure.last_sign + most:
            late = (fact.last_seen - tenure.last_sign).total_seconds()
            yield Violation(
                Promise.CHILDREN,
                f"work under token {fact.grant.token} of lease {fact.grant.name!r} was alive {late:.2f} s after its last renewal",
                (fact,),
            )


def second_holders(violations: Iterable[Violation]) -> tuple[list[Violation], int]:
    """Return the violations that count where the clock steps beyond what is assumed, and the number of
    those that do not: a second holder began while the work of the first was still alive.
    """
    found = list(violations)
    counts = [one for one in found if one.promise is not Promise.CHILDREN]
    return counts, len(found) - len(counts)


_SAID = "the database's clock stepped"
_UNSURE = 1.0
"""Seconds by which a report may be wrong: it compares two round trips."""
_LATE = 3.0
"""Seconds within which a renewal shows a step, and its replica has said so."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a replica said: the clock has stepped."""

    slot: str
    at: float
    """By the clock since boot."""
    seconds: float


def reports(logs: Iterable[tuple[str, Path]], clocks: SteppedClocks) -> Iterator[Report]:
    """Yield the reports in the logs of replicas."""
    for slot, line in lines(logs, _SAID):
        said = json.loads(line)
        at = clocks.unmoved(datetime.fromisoformat(said["timestamp"]).timestamp())
        yield Report(slot, clocks.boot(at), said["seconds"])


def false_reports(found: Iterable[Report], steps: Sequence[Step]) -> Iterator[str]:
    """Yield reports of what was no step, nor several in a row, of which one did not hear meanwhile."""
    for one in found:
        before = [step.seconds for step in reversed(steps) if step.at <= one.at + _UNSURE]
        if not any(
            abs(total - one.seconds) <= _UNSURE
            for last in range(min(len(before), 2))
            for total in accumulate(before[last:])
        ):
            yield f"replica {one.slot} said that the database's clock had stepped by {one.seconds:g} s, which it had not"


def unreported(
    steps: Sequence[Step],
    found: Iterable[Report],
    facts: Iterable[Fact],
    replicas: Container[str],
    clocks: SteppedClocks,
) -> Iterator[Step]:
    """Yield the steps that nobody reported, although two replicas or more renewed on both sides of them."""
    found = list(found)
    renewals: dict[str, list[float]] = {}
    for fact in facts:
        if isinstance(fact, GrantRenewed) and fact.grant.holder in replicas:
            renewals.setdefault(fact.grant.holder, []).append(clocks.boot(fact.at))
    for step in steps:
        saw = sum(
            any(step.at - _LATE < at < step.at for at in times) and any(step.at < at < step.at + 1 for at in times)
            for times in renewals.values()
        )
        if saw > 1 and not any(step.at <= one.at + 0.1 and one.at < step.at + _LATE for one in found):
            yield step
