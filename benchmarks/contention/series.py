"""All that is measured on one database: flatness, and rounds of trials. Each round has every number of replicas, so that it has its own yardstick."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from tests.support.databases import make_tables

from ..progress import tell
from ..stores import Facts, Store
from .flatness import Flatness, measure_flatness
from .fleet import Fleet, Order
from .options import Size
from .trial import Trial, hold_trial
from .workload import prepare

Round = tuple[Trial, ...]
_WARM_UP_EACH = 4


@dataclass(frozen=True, slots=True)
class Series:
    """The figures of one database."""

    facts: Facts
    rounds: tuple[Round, ...]
    """At least one; each has its trials in the order of their numbers of replicas."""
    flatness: Flatness


def measure(store: Store, size: Size, fleet: Fleet, deadline: float) -> Series:
    """Measure on one database, and begin no further round that would end after ``deadline`` (by the monotonic clock)."""
    warm_up = _WARM_UP_EACH * max(size.replicas)
    order = Order("", size.schedules, warm_up, size.places)
    name = store.facts.database
    with store.empty() as template:
        tell(f"{name}: {size.schedules} schedules become due")
        make_tables(template)
        asyncio.run(prepare(template, size.schedules, warm_up))
        store.settle(template)
        tell(f"{name}: claims with and without {size.finished} finished runs")
        flatness = measure_flatness(
            store, template, schedules=size.schedules, finished=size.finished, places=size.places
        )
        rounds: list[Round] = []
        longest = 0.0
        while len(rounds) < size.rounds and (not rounds or monotonic() + longest < deadline):
            began = monotonic()
            tell(f"{name}: round {len(rounds) + 1}")
            rounds.append(_round(store, template, fleet, order, size.replicas))
            longest = max(longest, monotonic() - began)
    if len(rounds) < size.rounds:
        tell(f"{name}: {len(rounds)} of {size.rounds} rounds, more would take too long (--rounds N does them all)")
    return Series(store.facts, tuple(rounds), flatness)


def _round(store: Store, template: str, fleet: Fleet, order: Order, replicas: Sequence[int]) -> Round:
    trials = []
    for number in replicas:
        trial = hold_trial(store, template, fleet, order, number)
        tell(f"{store.facts.database}: {number} at work, {trial.runs_per_second:.0f} runs/s")
        trials.append(trial)
    return tuple(trials)
