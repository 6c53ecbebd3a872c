"""What a campaign's history comes to, in numbers."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from daemon.audit import Promise
from daemon.audit.facts import Due, Recorded, Refused, Written
from daemon.audit.grants import recoveries
from daemon.audit.tenures import Tenures
from lease.model import Grant
from lease.timing import LeaseTiming

from .campaign import TTL, Result


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of one campaign."""

    faults: dict[str, int]
    due: int
    done: int
    skipped: int
    lost: int
    doubled: int
    """Effects that are there twice."""
    at_once: int
    """Work that was alive after the next grant of its lease."""
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
        skipped=sum(run.count for run in recorded if run.state == "skipped"),
        lost=broken[Promise.INSTANTS] + broken[Promise.FINAL],
        doubled=broken[Promise.EFFECTS],
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


def false_losses(result: Result) -> list[tuple[str, str, int, str]]:
    """The losses for which no fault accounts: none that may cost a lease was under way while it was not renewed."""
    tenures = Tenures(result.facts)
    holders = {(one.grant.name, one.grant.token): one.grant for one in tenures}
    slack = LeaseTiming(TTL).give_up + 1.0
    found = []
    for loss in result.losses:
        slot, name, token, _ = loss
        tenure = tenures.of(holders.get((name, token), Grant(name, token, "")))
        if tenure is None:
            continue
        last = tenure.last_sign.timestamp() - result.clocks.offset
        explained = any(
            fault.costs_leases
            and fault.slot in (None, slot)
            and fault.began - 0.5 <= last + slack
            and fault.ended + 0.5 >= last
            for fault in result.faults
        )
        if not explained:
            found.append(loss)
    return found


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
