"""The promise that a run keeps to its definition, which only an adoption changes."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from ..facts import Fact, Recorded, RunClaimed, RunRedefined, Worked
from ..violations import Promise, Violation


def kept_to(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield attempts that executed another definition than that of their run (rule 22)."""
    facts = list(history)
    claims = {fact.grant: fact for fact in facts if isinstance(fact, RunClaimed)}
    for fact in facts:
        if isinstance(fact, Worked) and fact.digest is not None:
            claim = claims.get(fact.grant)
            if claim is not None and claim.digest != fact.digest:
                yield _wrong(
                    claim.run,
                    f"uses the definition {_short(claim.digest)}, but its attempt under token {fact.grant.token} "
                    f"executed {_short(fact.digest)}",
                    claim,
                    fact,
                )
        elif isinstance(fact, Recorded):
            for job in fact.strange:
                yield _wrong(fact.run, f'has attempted job "{job}", which its definition does not have', fact)


def adopted_only(history: Iterable[Fact]) -> Iterator[Violation]:
    """Yield runs that came to go by another definition other than by a recorded adoption (rule 22)."""
    by_run: dict[int, list[RunClaimed | RunRedefined]] = defaultdict(list)
    for fact in history:
        if isinstance(fact, RunRedefined) or (isinstance(fact, RunClaimed) and fact.digest is not None):
            by_run[fact.run].append(fact)
    for run, of_run in by_run.items():
        known: str | None = None
        for fact in sorted(of_run, key=lambda fact: fact.at):
            if isinstance(fact, RunRedefined) and not fact.adopted:
                yield _wrong(run, f"uses {_short(fact.digest)} from {fact.at} on, which is not an adoption", fact)
            elif isinstance(fact, RunClaimed) and known not in {None, fact.digest}:
                yield _wrong(
                    run, f"was claimed by {_short(fact.digest)} after {_short(known)} without an adoption", fact
                )
            known = fact.digest


def _wrong(run: int, what: str, *facts: Fact) -> Violation:
    return Violation(Promise.DEFINITIONS, f"run {run} {what}", facts)


def _short(digest: str | None) -> str:
    return "none" if digest is None else digest[:8]
