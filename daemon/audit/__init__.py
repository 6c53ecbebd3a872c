"""The checker of histories: what happened, what is promised of it, and what breaks a promise.

    facts       what a history consists of
    tenures     the facts of each grant, put together
    promises/   pure functions from facts to violations: grants, writes, work, recoveries, turns,
                instants, effects, definitions, cancels
    violations  a promise that a history breaks
    checker     all promises, one after the other
    history/    the history in the daemon's own tables (tables): its grants (evidence), its due
                instants (expectation), its runs (records), its wrong times (moved_clock)

`leased audit` checks the real tables. The chaos campaigns check a fuller history, which triggers in
the database and the jobs write.
"""

from .checker import Bounds, check
from .violations import Promise, Violation

__all__ = ["Bounds", "Promise", "Violation", "check"]
