"""What a campaign's history comes to, in numbers."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from daemon.audit import Promise
from daemon.audit.facts import Due, Recorded, Refused, Written
from daemon.audit.grants import recoveries
from daemon.audit.tenures import Tenures
from lease.timing import LeaseTiming

from .campaign import TTL, Result


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of one campaign."""

    faults: dict[str, int]
    due: int
    done: int
    skipped: dict[str, int]
    """Instants that did not run, by reason."""
    instants_wrong: int
    """Occurrences that are lost, accounted for twice, or not over."""
    effects_wrong: int
    """Effects that are there twice, or missing."""
    at_once: int
    """Work that was alive after the next grant of its lease, or was found alive by it."""
    effects: int
    zombie_attempted: int
    zombie_refused: int
    zombie_committed: int
    recoveries: int
    recovery_p50: float
    recovery_p99: float
    recovery_max: float
    losses: int
    false_losses: int
    grants: int
    violations: dict[str, int]
    """Of each promise."""
    audit_violations: int
    settled_after: float

    @property
    def total(self) -> int:
        return sum(self.faults.values())

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "faults_in_all": self.total}


def summarize(result: Result) -> Summary:
    """Return the numbers."""
    facts = result.facts
    tenures = Tenures(facts)
    recorded = [fact for fact in facts if isinstance(fact, Recorded)]
    took = sorted(time.total_seconds() for _, time, _ in recoveries(facts, tenures))
    broken = Counter(violation.promise for violation in result.violations)
    written = [fact for fact in facts if isinstance(fact, Written)]
    refused = sum(isinstance(fact, Refused) for fact in facts) + sum(one.answer == "refused" for one in result.tried)
    committed = broken[Promise.WRITES]
    return Summary(
        faults=dict(Counter(fault.kind for fault in result.faults).most_common()),
        due=sum(isinstance(fact, Due) for fact in facts),
        done=sum(run.state in ("succeeded", "failed") for run in recorded),
        skipped=result.skipped,
        instants_wrong=broken[Promise.INSTANTS] + broken[Promise.FINAL],
        effects_wrong=broken[Promise.EFFECTS],
        at_once=broken[Promise.CHILDREN],
        effects=sum(fact.run is not None for fact in written),
        zombie_attempted=refused + committed,
        zombie_refused=refused,
        zombie_committed=committed,
        recoveries=len(took),
        recovery_p50=_percentile(took, 0.50),
        recovery_p99=_percentile(took, 0.99),
        recovery_max=took[-1] if took else 0.0,
        losses=len(result.losses),
        false_losses=len(false_losses(result)),
        grants=len(list(tenures)),
        violations={str(promise): times for promise, times in broken.items()},
        audit_violations=len(result.audit["items"]),
        settled_after=result.settled_after,
    )


@dataclass(frozen=True, slots=True)
class FalseLoss:
    """A loss for which no fault accounts, and the faults that were under way all the same."""

    slot: str
    lease: str
    token: int
    cause: str
    meanwhile: tuple[str, ...]

    def __str__(self) -> str:
        beside = f"; meanwhile there: {', '.join(self.meanwhile)}" if self.meanwhile else ""
        return f"{self.slot} lost {self.lease} (token {self.token}): {self.cause}{beside}"


def false_losses(result: Result) -> list[FalseLoss]:
    """The losses of leases while no fault was under way that may cost one."""
    tenures = Tenures(result.facts)
    known = {(one.grant.name, one.grant.token): one for one in tenures}
    give_up = LeaseTiming(TTL).give_up
    found = []
    for slot, name, token, cause in result.losses:
        tenure = known.get((name, token))
        if tenure is None:
            continue
        last = tenure.last_sign.timestamp() - result.clocks.offset
        # It was last renewed then, and lost give_up later at the earliest.
        near = [
            fault for fault in result.faults if fault.began - 0.5 <= last + give_up + 1.0 and fault.ended + 0.5 >= last
        ]
        there = [fault for fault in near if fault.slot in (None, slot)]
        if not any(fault.costs_leases for fault in there):
            found.append(FalseLoss(slot, name, token, cause, tuple(sorted({fault.kind for fault in there}))))
    return found


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
