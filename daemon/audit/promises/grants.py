"""The promises that tokens increase, and that grants of one name do not overlap."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from ..facts import ClockJump, Deleted, Fact, GrantRenewed, HighestToken
from ..tenures import Tenure, Tenures
from ..violations import Promise, Violation


def tokens_increase(history: Iterable[Fact], tenures: Tenures, tolerance: timedelta) -> Iterator[Violation]:
    """Yield grants whose token is not above that of each earlier grant of their name (rule 5)."""
    highest: dict[str, Tenure] = {}
    under: dict[tuple[str, int], Tenure] = {}
    for after in tenures.in_time():
        grant = after.grant
        before = under.get((grant.name, grant.token)) or _beyond(highest.get(grant.name), after, tolerance)
        if before is not None:
            yield Violation(
                Promise.TOKENS,
                f"lease {grant.name!r} was granted under token {grant.token} at {after.granted.at}, "
                f"after token {before.grant.token}",
                (before.granted, after.granted),
            )
        under.setdefault((grant.name, grant.token), after)
        if grant.name not in highest or grant.token > highest[grant.name].grant.token:
            highest[grant.name] = after
    for fact in history:
        if isinstance(fact, Deleted):
            deleted = "is missing" if fact.at is None else f"was deleted at {fact.at}"
            yield Violation(Promise.TOKENS, f"the row of lease {fact.name!r} {deleted}", (fact,))
        elif isinstance(fact, HighestToken) and fact.name in highest:
            granted = highest[fact.name].granted
            if fact.token < granted.grant.token:
                yield Violation(
                    Promise.TOKENS,
                    f"lease {fact.name!r} is at token {fact.token} but was granted under token {granted.grant.token}: "
                    "it was set back",
                    (fact, granted),
                )


def _beyond(highest: Tenure | None, after: Tenure, tolerance: timedelta) -> Tenure | None:
    """Return ``highest`` if ``after`` came later with a lower token, beyond a step of the clock."""
    if highest is None or after.grant.token > highest.grant.token:
        return None
    return highest if after.granted.at - highest.granted.at > tolerance else None


def no_overlap(history: Iterable[Fact], tenures: Tenures, tolerance: timedelta) -> Iterator[Violation]:
    """Yield grants of a name whose earlier grant is still in force, and renewals of ended grants.

    Rules 4 and 6. A grant during which the database's clock was set forward may be taken early.
    """
    jumps = [fact.at for fact in history if isinstance(fact, ClockJump)]
    for before, after in tenures.successions():
        free = _free_from(before)
        if free is None or free <= after.granted.at + tolerance:
            continue
        if not any(before.granted.at <= jump <= free for jump in jumps):
            yield Violation(
                Promise.OVERLAP,
                f"lease {after.grant.name!r} was granted under token {after.grant.token} at {after.granted.at}, "
                f"while token {before.grant.token} was in force until {free}",
                (before.granted, after.granted),
            )
    for fact in history:
        if isinstance(fact, GrantRenewed):
            over = tenures.end_of(fact.grant)
            if over is not None and fact.at > over + tolerance:
                yield Violation(
                    Promise.OVERLAP,
                    f"token {fact.grant.token} of lease {fact.grant.name!r} was renewed at {fact.at}, "
                    f"after it had ended at {over}",
                    (fact,),
                )


def _free_from(tenure: Tenure) -> datetime | None:
    """Return when a grant ended or goes stale, whichever is first; None if unknown."""
    known = [tenure.ended.at if tenure.ended else None, tenure.until]
    return min((at for at in known if at is not None), default=None)
