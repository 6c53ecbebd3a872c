"""The checker of the recorded history: what is promised of it, and what breaks a promise.

    facts     what a history consists of
    promises  pure functions from facts to violations, and `check`, which calls them all
    evidence  the grants for which the daemon's own tables give evidence
    history   the history in these tables

`leased audit` checks the real tables.
"""

from .promises import Bounds, Promise, Violation, check

__all__ = ["Bounds", "Promise", "Violation", "check"]
