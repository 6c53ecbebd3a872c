"""The checker of the recorded history: what is promised of it, and what breaks a promise.

    facts     what a history consists of
    promises  pure functions from facts to violations, and `check`, which calls them all
    history   the history in the daemon's own tables, and the grants for which they give evidence

`leased audit` checks the real tables.
"""

from .promises import Promise, Violation, check

__all__ = ["Promise", "Violation", "check"]
