"""Checks a history: proves that it keeps every promise, or names the facts that break one. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from .facts import Fact
from .promises.effects import done_once, written_once
from .promises.grants import no_overlap, tokens_increase
from .promises.instants import accounted_once, all_over, planned_on, wholly_over
from .promises.recoveries import recovered_in_time
from .promises.turns import nothing_idle, one_holder_at_a_time, refused_rightly, under_known_grants
from .promises.work import dead_before_next
from .promises.writes import no_zombie_writes
from .tenures import Tenures
from .violations import Promise, Violation


@dataclass(frozen=True, slots=True)
class Bounds:
    """What holds of this history, beyond what holds of all."""

    recovery: timedelta | None = None
    """Within which a run that was cut off goes on, once its grant is stale: 1 s, and the bound of a fenced transaction; None: not checked."""
    complete: bool = False
    """The history tells of each grant, claim, end, start of work, write and instant."""
    idle: timedelta = timedelta.max
    """For how long, in a complete one, a grant may be renewed under which nothing begins."""
    finished: bool = False
    """Nothing is under way any more: each run must be over."""
    effects_written: bool = False
    """Each job writes one effect, and the history has all `Written` facts."""
    tolerance: timedelta = timedelta()
    """How far apart two readings of the database's clock may be taken for the same: SQLite's own has milliseconds."""


def check(history: Iterable[Fact], bounds: Bounds = Bounds()) -> list[Violation]:
    """Return all that is wrong with ``history``, in the order of the promises; nothing if it keeps them all."""
    facts = list(history)
    tenures = Tenures(facts)
    found = [
        *tokens_increase(facts, tenures, bounds.tolerance),
        *no_overlap(facts, tenures, bounds.tolerance),
        *no_zombie_writes(facts, tenures),
        *dead_before_next(facts, tenures, bounds.tolerance),
    ]
    if bounds.recovery is not None:
        found += recovered_in_time(facts, tenures, bounds.recovery)
    if bounds.complete:
        found += [
            *under_known_grants(facts, tenures),
            *refused_rightly(facts, tenures, bounds.tolerance),
            *one_holder_at_a_time(facts, tenures, bounds.tolerance),
            *nothing_idle(facts, tenures, bounds.idle),
        ]
    found += [*accounted_once(facts, complete=bounds.complete), *planned_on(facts), *wholly_over(facts)]
    if bounds.finished:
        found += all_over(facts)
    found += done_once(facts)
    if bounds.effects_written:
        found += written_once(facts)
    return sorted(found, key=lambda violation: list(Promise).index(violation.promise))
