"""The audit: a history of grants, writes and runs, and a checker that proves what is promised of it, or names what breaks it.

    facts     what a history consists of
    tenures   the facts of each grant put together
    grants, writes, work, recoveries, turns, instants, effects
              what is promised: pure functions from facts to violations
    violations, checker
              a promise that is not kept; all of them, one after the other
    tables    the history that the daemon's own tables tell:
    evidence, expectation, records
              its grants, its due instants, its runs

`leased audit` checks the real tables. The chaos campaigns check a fuller history, which triggers in the database and the jobs write.
"""

from .checker import Bounds, check
from .violations import Promise, Violation

__all__ = ["Bounds", "Promise", "Violation", "check"]
