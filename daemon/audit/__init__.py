"""The audit: a history of grants, writes and runs, and a checker that proves what is promised of it, or names what breaks it.

    facts     what a history consists of
    tenures   the facts of each grant put together
    grants, writes, work, instants, effects
              one promise each: pure functions from facts to violations
    checker   all of them
    tables    the history that the daemon's own tables tell:
    evidence, expectation, records
              its grants, its due instants, its runs

`leased audit` checks the real tables. The chaos campaigns check a fuller history, which triggers in the database and the jobs write.
"""

from .checker import Bounds, check
from .violations import Promise, Violation

__all__ = ["Bounds", "Promise", "Violation", "check"]
