"""The checker of a history: it finds every broken promise, with the facts that show it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from .facts import Fact
from .promises.backfills import as_many_as_told, as_many_at_a_time, not_run_again
from .promises.cancels import never_goes_on, replaced_first
from .promises.definitions import adopted_only, kept_to
from .promises.effects import done_once, written_once
from .promises.grants import no_overlap, tokens_increase
from .promises.instants import accounted_once, all_over, planned_on, run_after_all, wholly_over
from .promises.recoveries import recovered_in_time
from .promises.retries import retried_once
from .promises.turns import nothing_idle, one_holder_at_a_time, refused_rightly, under_known_grants
from .promises.work import dead_before_next
from .promises.writes import no_zombie_writes
from .tenures import Tenures
from .violations import Promise, Violation


@dataclass(frozen=True, slots=True)
class Bounds:
    """What this history must keep beyond the promises, and how complete it is."""

    recovery: timedelta | None = None
    """The time in which an interrupted run must resume once its grant is stale; None: not checked.

    1 s plus the bound of a fenced transaction.
    """
    everywhere: frozenset[str] | None = None
    """The definitions that each replica has; None: all. A run that goes by another one may have to wait
    for a replica that has it, or for its adoption."""
    complete: bool = False
    """The history has every grant, claim, end, start of work, write and instant."""
    idle: timedelta = timedelta.max
    """The time for which a grant may be renewed without work, in a complete history."""
    finished: bool = False
    """Nothing is in progress any more: every run must be over."""
    effects_written: bool = False
    """Every job writes one effect, and the history has all `Written` facts."""
    tolerance: timedelta = timedelta()
    """The difference below which two times count as the same: SQLite's clock has milliseconds."""


def check(history: Iterable[Fact], bounds: Bounds = Bounds()) -> list[Violation]:
    """Return all violations in ``history``, in the order of the promises."""
    facts = list(history)
    tenures = Tenures(facts)
    found = [
        *tokens_increase(facts, tenures, bounds.tolerance),
        *no_overlap(facts, tenures, bounds.tolerance),
        *no_zombie_writes(facts, tenures),
        *dead_before_next(facts, tenures, bounds.tolerance),
    ]
    if bounds.recovery is not None:
        found += recovered_in_time(facts, tenures, bounds.recovery, bounds.everywhere)
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
    found += [*done_once(facts), *retried_once(facts), *run_after_all(facts)]
    found += [*kept_to(facts), *adopted_only(facts)]
    found += [*never_goes_on(facts, bounds.tolerance), *replaced_first(facts, bounds.tolerance)]
    found += [*as_many_as_told(facts), *not_run_again(facts), *as_many_at_a_time(facts)]
    if bounds.effects_written:
        found += written_once(facts)
    return sorted(found, key=lambda violation: list(Promise).index(violation.promise))
