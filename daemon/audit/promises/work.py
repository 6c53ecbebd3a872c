"""The promise that work under a grant is dead before the next grant of its lease."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from ..facts import Fact, Worked
from ..tenures import Tenures
from ..violations import Promise, Violation


def dead_before_next(history: Iterable[Fact], tenures: Tenures, tolerance: timedelta) -> Iterator[Violation]:
    """Yield work that was still alive after the next grant of its lease (rules 9 and 20)."""
    successor = {before.grant: after.granted for before, after in tenures.successions()}
    for fact in history:
        if not isinstance(fact, Worked):
            continue
        name, token = fact.grant.name, fact.grant.token
        granted = successor.get(fact.grant)
        if granted is not None and fact.last_seen > granted.at + tolerance:
            yield Violation(
                Promise.CHILDREN,
                f"work under token {token} of lease {name!r} was alive at {fact.last_seen}, "
                f"after token {granted.grant.token} was granted at {granted.at}",
                (fact, granted),
            )
        if fact.survivors:
            pids = ", ".join(map(str, fact.survivors))
            yield Violation(
                Promise.CHILDREN,
                f"work under token {token} of lease {name!r} started while processes of earlier attempts were alive: "
                f"{pids}",
                (fact,),
            )
