"""The promises of which only a campaign's history can tell: of work, writes, claims and renewals. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import assert_never

from daemon.audit.promises import Promise, Violation, of_backfill, of_kind, went_on
from daemon.delivery.fleet_ping import PINGING
from daemon.pruning.pruner import PRUNING

from .facts import (
    BackfillRecorded,
    Fact,
    FencedWriteRefused,
    GrantEnded,
    GrantRenewed,
    LeaseDeleted,
    Recorded,
    RunClaimed,
    RunLeft,
    RunMarked,
    RunRedefined,
    RunSettled,
    Worked,
    Written,
    starved,
)
from .tenures import Tenures

# Grants and turns


def never_deleted(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield leases whose row was deleted (rule 5)."""
    for fact in of_kind(LeaseDeleted, history):
        yield Violation(Promise.TOKENS, f"the row of lease {fact.name!r} was deleted at {fact.at}", (fact,))


def not_renewed_after_its_end(history: Iterable[Fact], tenures: Tenures, tolerance: timedelta) -> Iterator[Violation]:
    """Yield renewals of grants that had ended (rule 6)."""
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
                    yield _turn(run, "was claimed under token {} while token {} held it", fact, claim)
                elif latest is not None and fact.grant.token <= latest.grant.token:
                    yield _turn(run, "was claimed under token {} after token {}", fact, latest)
                over = tenures.end_of(fact.grant)
                if over is not None and over < fact.at - tolerance:
                    yield _turn(run, "was claimed under token {}, which had ended", fact)
                claim = latest = fact
                continue
            if claim is None or claim.grant != fact.grant:
                yield _turn(run, "was ended under token {}, which had not claimed it", fact)
            tenure = tenures.of(fact.grant)
            followed = tenure.succeeded_at if tenure is not None and (run, fact.grant) not in settled else None
            if followed is not None and fact.at > followed + tolerance:
                yield _turn(run, "was ended under token {}, after the next grant of that lease", fact)
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


def _turn(run: int, what: str, fact: RunClaimed | RunLeft, other: RunClaimed | None = None) -> Violation:
    tokens = [fact.grant.token, *([other.grant.token] if other else [])]
    text = f"run {run} {what.format(*tokens)} (lease {fact.grant.name!r}, at {fact.at})"
    return Violation(Promise.TURNS, text, (other, fact) if other else (fact,))


# Writes and work


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


def written_once(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield effects that were written twice, and missing effects of jobs that succeeded."""
    facts = list(history)
    writes = Counter((fact.run, fact.job) for fact in facts if isinstance(fact, Written) and fact.run is not None)
    for (run_id, job), times in writes.items():
        if times > 1:
            yield Violation(Promise.EFFECTS, f'the effect of job "{job}" of run {run_id} was written {times} times')
    for run in (fact for fact in facts if isinstance(fact, Recorded)):
        for job in run.succeeded:
            if not writes[run.run, job]:
                yield Violation(
                    Promise.EFFECTS, f'job "{job}" of run {run.run} has succeeded, but its effect is missing', (run,)
                )


def all_over(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield runs that are not over."""
    for fact in history:
        if isinstance(fact, Recorded) and not fact.over:
            yield Violation(
                Promise.FINAL,
                f'run {fact.run} of "{fact.schedule}", due at {fact.first}, is not over: {fact.state}',
                (fact,),
            )


# Definitions, cancels, backfills


def executed(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield attempts that executed another definition than that of their run (rule 22)."""
    facts = list(history)
    claims = {fact.grant: fact for fact in facts if isinstance(fact, RunClaimed)}
    for fact in facts:
        if isinstance(fact, Worked) and fact.digest is not None:
            claim = claims.get(fact.grant)
            if claim is not None and claim.digest != fact.digest:
                yield _by_another(
                    claim.run,
                    f"uses the definition {_short(claim.digest)}, but its attempt under token {fact.grant.token} "
                    f"executed {_short(fact.digest)}",
                    claim,
                    fact,
                )


def adopted_only(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield runs whose definition changed without a recorded adoption (rule 22)."""
    by_run: dict[int, list[RunClaimed | RunRedefined]] = defaultdict(list)
    for fact in history:
        if isinstance(fact, RunRedefined) or (isinstance(fact, RunClaimed) and fact.digest is not None):
            by_run[fact.run].append(fact)
    for run, of_run in by_run.items():
        known: str | None = None
        for fact in sorted(of_run, key=lambda fact: fact.at):
            if isinstance(fact, RunRedefined) and not fact.adopted:
                yield _by_another(run, f"uses {_short(fact.digest)} from {fact.at} on, which is not an adoption", fact)
            elif isinstance(fact, RunClaimed) and known not in {None, fact.digest}:
                yield _by_another(
                    run, f"was claimed by {_short(fact.digest)} after {_short(known)} without an adoption", fact
                )
            known = fact.digest


def _by_another(run: int, what: str, *facts: Fact) -> Violation:
    return Violation(Promise.DEFINITIONS, f"run {run} {what}", facts)


def _short(digest: str | None) -> str:
    return "none" if digest is None else digest[:8]


def goes_on(history: Iterable[Fact], tolerance: timedelta) -> Iterator[Violation]:
    """Yield what was claimed or written after the end of a cancelled run (rule 23)."""
    facts = list(history)
    marked = {fact.run: fact for fact in facts if isinstance(fact, RunMarked)}
    for fact in facts:
        if not isinstance(fact, RunClaimed | Written) or fact.run not in marked:
            continue
        mark = marked[fact.run]
        if mark.state == "cancelled" and mark.ended is not None and fact.at > mark.ended + tolerance:
            what = "was claimed" if isinstance(fact, RunClaimed) else "wrote an effect"
            yield went_on(mark, f"ended as cancelled at {mark.ended}, and {what} at {fact.at}", fact)


def as_many_at_a_time(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield claims of a backfill's run while as many others of it run as may at a time (rule 23).

    Only a complete history has the claims.
    """
    facts = list(history)
    known = {backfill.backfill: backfill for backfill in of_kind(BackfillRecorded, facts)}
    of = {run.run: run.backfill for run in of_kind(Recorded, facts) if run.backfill in known}
    moves = [fact for fact in facts if isinstance(fact, RunClaimed | RunLeft | RunSettled) and fact.run in of]
    at_work: dict[int, set[int]] = defaultdict(set)
    for fact in sorted(moves, key=lambda fact: fact.at):
        backfill, beside = known[of[fact.run]], at_work[of[fact.run]]
        if not isinstance(fact, RunClaimed):
            beside.discard(fact.run)
            continue
        beside.add(fact.run)
        if len(beside) > backfill.at_most:
            what = f"runs at most {backfill.at_most} at a time, but {len(beside)} were running at {fact.at}"
            yield of_backfill(backfill, what, fact)
