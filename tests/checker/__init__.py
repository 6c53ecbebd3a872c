"""The whole checker of a campaign's history: what `leased audit` checks in the tables, and what only witnesses can tell.

facts       what such a history consists of besides what the tables record
tenures     the facts of each grant, put together
recorded    the facts as tables would show them, for what `daemon.audit` checks; and which instants were due
promises    pure functions from facts to violations; those of recorded facts are in `daemon.audit.promises`
recoveries  that an interrupted run resumes in time
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from daemon import audit
from daemon.audit import Promise, Violation

from . import promises
from .facts import Fact
from .recorded import as_recorded, due_at_all
from .recoveries import recovered_in_time
from .tenures import Tenures

__all__ = ["Bounds", "Promise", "Violation", "check"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits that this history must keep, and how complete it is."""

    recovery: timedelta | None = None
    """The time in which an interrupted run must resume once its grant is stale; None: not checked.

    1 s plus the bound of a fenced transaction.
    """
    everywhere: frozenset[str] | None = None
    """The definitions that each replica has; None: all. A run that uses another one may have to wait
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
    tenures, tolerance = Tenures(facts), bounds.tolerance
    found = [
        *audit.check(as_recorded(facts, tenures), tolerance),
        *promises.never_deleted(facts),
        *promises.not_renewed_after_its_end(facts, tenures, tolerance),
        *promises.no_zombie_writes(facts, tenures),
        *promises.dead_before_next(facts, tenures, tolerance),
        *promises.executed(facts),
        *promises.adopted_only(facts),
        *promises.goes_on(facts, tolerance),
        *promises.as_many_at_a_time(facts),
    ]
    if bounds.recovery is not None:
        found += recovered_in_time(facts, tenures, bounds.recovery, bounds.everywhere)
    if bounds.complete:
        found += [
            *promises.under_known_grants(facts, tenures),
            *promises.refused_rightly(facts, tenures, tolerance),
            *promises.one_holder_at_a_time(facts, tenures, tolerance),
            *promises.nothing_idle(facts, tenures, bounds.idle),
            *due_at_all(facts),
        ]
    if bounds.finished:
        found += promises.all_over(facts)
    if bounds.effects_written:
        found += promises.written_once(facts)
    return sorted(found, key=lambda violation: list(Promise).index(violation.promise))
