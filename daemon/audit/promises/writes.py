"""The promise that no fenced write is committed under a grant that has ended."""

from collections.abc import Iterable, Iterator

from ..facts import Fact, Written
from ..tenures import Tenures
from ..violations import Promise, Violation


def no_zombie_writes(history: Iterable[Fact], tenures: Tenures) -> Iterator[Violation]:
    """Yield fenced writes that were committed after their grant had ended (rule 11)."""
    for fact in history:
        if not isinstance(fact, Written):
            continue
        grant = fact.grant
        if tenures.of(grant) is None:
            yield Violation(
                Promise.WRITES,
                f"a write was committed under token {grant.token} of lease {grant.name!r}, which was never granted",
                (fact,),
            )
            continue
        over = tenures.end_of(grant)
        if over is not None and fact.at > over:
            yield Violation(
                Promise.WRITES,
                f"a write under token {grant.token} of lease {grant.name!r} was committed at {fact.at}, "
                f"after the grant had ended at {over}",
                (fact,),
            )
