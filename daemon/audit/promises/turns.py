"""The promise that a run has one holder at a time, which alone ends it.

Only complete histories can prove it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import assert_never

from ...scheduling.lease_names import PINGING, PRUNING
from ..facts import Fact, FencedWriteRefused, GrantEnded, GrantRenewed, RunClaimed, RunLeft, RunSettled, Worked, starved
from ..tenures import Tenures
from ..violations import Promise, Violation

UnderGrant = GrantRenewed | GrantEnded | FencedWriteRefused | Worked | RunClaimed | RunLeft | RunSettled
"""The facts under a grant, except for its beginning."""


def under_known_grants(history: Iterable[Fact], tenures: Tenures) -> Iterator[Violation]:
    """Yield facts under a grant that was never granted: a lost commit would show here."""
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
    """Yield fenced writes that were refused while their grant was in force (rule 11)."""
    for fact in history:
        if isinstance(fact, FencedWriteRefused) and tenures.of(fact.grant) is not None:
            over = tenures.end_of(fact.grant)
            if over is None or fact.at < over - tolerance:
                yield Violation(
                    Promise.WRITES,
                    f"a write under token {fact.grant.token} of lease {fact.grant.name!r} was refused at {fact.at}, "
                    "while the grant was in force",
                    (fact,),
                )


def one_holder_at_a_time(history: Sequence[Fact], tenures: Tenures, tolerance: timedelta) -> Iterator[Violation]:
    """Yield claims of a run that is held, claims under an ended grant or a token that is no higher than
    the one before, and ends under another grant.

    Rules 5, 10 and 15. A run must be ended before the next grant of its lease, unless it was settled:
    if a lock is shared, another run may be granted the stale lease first.
    """
    settled = {(fact.run, fact.grant) for fact in history if isinstance(fact, RunSettled)}
    by_run: dict[int, list[RunClaimed | RunLeft]] = defaultdict(list)
    for fact in history:
        if isinstance(fact, RunClaimed | RunLeft):
            by_run[fact.run].append(fact)
    for run, of_run in by_run.items():
        claim: RunClaimed | None = None
        latest: RunClaimed | None = None
        for fact in sorted(of_run, key=lambda fact: fact.at):
            if isinstance(fact, RunClaimed):
                if claim is not None:
                    yield _wrong(run, "was claimed under token {} while token {} held it", fact, claim)
                elif latest is not None and fact.grant.token <= latest.grant.token:
                    yield _wrong(run, "was claimed under token {} after token {}", fact, latest)
                over = tenures.end_of(fact.grant)
                if over is not None and over < fact.at - tolerance:
                    yield _wrong(run, "was claimed under token {}, which had ended", fact)
                claim = latest = fact
                continue
            if claim is None or claim.grant != fact.grant:
                yield _wrong(run, "was ended under token {}, which had not claimed it", fact)
            tenure = tenures.of(fact.grant)
            followed = tenure.succeeded_at if tenure is not None and (run, fact.grant) not in settled else None
            if followed is not None and fact.at > followed + tolerance:
                yield _wrong(run, "was ended under token {}, after the next grant of that lease", fact)
            claim = None


def nothing_idle(history: Iterable[Fact], tenures: Tenures, within: timedelta) -> Iterator[Violation]:
    """Yield grants that were renewed for longer than ``within`` without any work (rule 6), but for the time for
    which a machine was busy with others; pruning is no work of which a history knows.
    """
    facts = list(history)
    worked = {fact.grant for fact in facts if isinstance(fact, Worked)}
    for tenure in tenures:
        kept = tenure.last_sign - tenure.granted.at
        if tenure.grant in worked or tenure.grant.name.startswith((PRUNING, PINGING)) or kept <= within:
            continue
        if kept - starved(facts, tenure.granted.at, tenure.last_sign) > within:
            yield Violation(
                Promise.TOKENS,
                f"token {tenure.grant.token} of lease {tenure.grant.name!r} was renewed for "
                f"{kept.total_seconds():.1f} s, but no work started under it",
                (tenure.granted,),
            )


def _wrong(run: int, what: str, fact: RunClaimed | RunLeft, other: RunClaimed | None = None) -> Violation:
    tokens = [fact.grant.token, *([other.grant.token] if other else [])]
    text = f"run {run} {what.format(*tokens)} (lease {fact.grant.name!r}, at {fact.at})"
    return Violation(Promise.TURNS, text, (other, fact) if other else (fact,))
