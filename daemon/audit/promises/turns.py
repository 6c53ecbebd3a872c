"""A run has one holder at a time, who alone ends it; for histories that tell of each grant, claim and end."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import assert_never

from ..facts import Fact, FencedWriteRefused, GrantEnded, GrantRenewed, RunClaimed, RunLeft, RunSettled, Worked
from ..tenures import Tenures
from ..violations import Promise, Violation

UnderGrant = GrantRenewed | GrantEnded | FencedWriteRefused | Worked | RunClaimed | RunLeft | RunSettled
"""What happens under a grant and is not its beginning."""


def under_known_grants(history: Iterable[Fact], tenures: Tenures) -> Iterator[Violation]:
    """Whatever happens under a grant happens under one that was granted: a commit that was lost would show here."""
    for fact in history:
        if isinstance(fact, UnderGrant) and not tenures.of(fact.grant):
            yield Violation(
                Promise.TOKENS,
                f"{_in_words(fact)} under token {fact.grant.token} of lease {fact.grant.name!r}, "
                f"which was never granted to {fact.grant.holder}",
                (fact,),
            )


def _in_words(fact: UnderGrant) -> str:
    match fact:
        case GrantRenewed():
            return "a renewal"
        case GrantEnded():
            return "the end of a grant"
        case FencedWriteRefused():
            return "a refused write"
        case Worked():
            return "work"
        case RunClaimed(run=run):
            return f"a claim of run {run}"
        case RunLeft(run=run):
            return f"the end of run {run}'s attempt"
        case RunSettled(run=run):
            return f"the settlement of run {run}"
        case _:
            assert_never(fact)


def refused_rightly(history: Iterable[Fact], tenures: Tenures, tolerance: timedelta) -> Iterator[Violation]:
    """A fenced write is refused only once its grant has ended (rule 11)."""
    for fact in history:
        if isinstance(fact, FencedWriteRefused) and tenures.of(fact.grant) is not None:
            over = tenures.end_of(fact.grant)
            if over is None or fact.at < over - tolerance:
                yield Violation(
                    Promise.WRITES,
                    f"a write under token {fact.grant.token} of lease {fact.grant.name!r} was refused at {fact.at}, while the grant was in force",
                    (fact,),
                )


def one_holder_at_a_time(history: Sequence[Fact], tenures: Tenures, tolerance: timedelta) -> Iterator[Violation]:
    """A run is claimed when nobody has it, under a grant in force, and ended under that grant before the next (rules 10, 15).

    What was settled may have been left so late: where a lock is shared, another run may be granted the stale lease first.
    """
    settled = {(fact.run, fact.grant) for fact in history if isinstance(fact, RunSettled)}
    by_run: dict[int, list[RunClaimed | RunLeft]] = defaultdict(list)
    for fact in history:
        if isinstance(fact, RunClaimed | RunLeft):
            by_run[fact.run].append(fact)
    for run, told in by_run.items():
        has: RunClaimed | None = None
        for fact in sorted(told, key=lambda fact: fact.at):
            if isinstance(fact, RunClaimed):
                if has is not None:
                    yield _wrong(run, "was claimed under token {} while token {} had it", fact, has)
                over = tenures.end_of(fact.grant)
                if over is not None and over < fact.at - tolerance:
                    yield _wrong(run, "was claimed under token {}, which had ended", fact)
                has = fact
                continue
            if has is None or has.grant != fact.grant:
                yield _wrong(run, "was ended under token {}, which had not claimed it", fact)
            tenure = tenures.of(fact.grant)
            followed = tenure.succeeded_at if tenure is not None and (run, fact.grant) not in settled else None
            if followed is not None and fact.at > followed + tolerance:
                yield _wrong(run, "was ended under token {}, after the next grant of that lease", fact)
            has = None


def nothing_idle(history: Iterable[Fact], tenures: Tenures, within: timedelta) -> Iterator[Violation]:
    """A grant under which nothing ever began is over ``within`` that time: nobody renews for ever what nobody holds (rule 6)."""
    facts = list(history)
    worked = {fact.grant for fact in facts if isinstance(fact, Worked)}
    for tenure in tenures:
        kept = tenure.last_sign - tenure.granted.at
        if tenure.grant not in worked and kept > within:
            yield Violation(
                Promise.TOKENS,
                f"token {tenure.grant.token} of lease {tenure.grant.name!r} was renewed for {kept.total_seconds():.1f} s, and nothing began under it",
                (tenure.granted,),
            )


def _wrong(run: int, what: str, fact: RunClaimed | RunLeft, other: RunClaimed | None = None) -> Violation:
    tokens = [fact.grant.token, *([other.grant.token] if other else [])]
    said = f"run {run} {what.format(*tokens)} (lease {fact.grant.name!r}, at {fact.at})"
    return Violation(Promise.TURNS, said, (other, fact) if other else (fact,))
