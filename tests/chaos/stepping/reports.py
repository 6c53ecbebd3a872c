"""The steps of the database's clock that replicas reported. Pure, besides the reading of their logs."""

import json
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from pathlib import Path

from tests.checker.facts import Fact, GrantRenewed

from ..history import lines
from .steps import Step, SteppedClocks

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
