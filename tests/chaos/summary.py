"""The summary of a campaign's history, in numbers."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace

from lease.timing import LeaseTiming
from tests.checker import Promise
from tests.checker.facts import Due, FencedWriteRefused, Recorded, RunSettled, Worked, Written
from tests.checker.recoveries import recoveries
from tests.checker.tenures import Tenures

from .history import Loss
from .judgement import TTL, Result
from .users.promises import numbers

_LOOKS = timedelta(seconds=0.3)
"""More than the time between two checks of which processes are alive."""


def summarize(result: Result) -> SimpleNamespace:
    """Return the numbers of a campaign, for its table and as JSON."""
    facts = result.facts
    tenures = Tenures(facts)
    recorded = [fact for fact in facts if isinstance(fact, Recorded)]
    all_recoveries = list(recoveries(facts, tenures))
    took = sorted(one.took.total_seconds() for one in all_recoveries if not one.outages)
    broken = Counter(violation.promise for violation in result.violations)
    written = [fact for fact in facts if isinstance(fact, Written)]
    refused = [fact for fact in facts if isinstance(fact, FencedWriteRefused)]
    ends = ((tenures.of(fact.grant), fact.at) for fact in refused)
    overtaken = sum(bool(one and one.succeeded_at and one.succeeded_at <= at) for one, at in ends)
    committed = sum("committed" in one.what for one in result.violations if one.promise is Promise.WRITES)
    return SimpleNamespace(
        faults=dict(Counter(fault.kind for fault in result.faults).most_common()),
        total=len(result.faults),
        due=sum(isinstance(fact, Due) for fact in facts),
        done=sum(run.state == "succeeded" for run in recorded),
        failed=sum(run.state == "failed" for run in recorded),
        skipped=result.skipped,
        instants_wrong=broken[Promise.INSTANTS] + broken[Promise.FINAL],
        effects_wrong=broken[Promise.EFFECTS],
        overlaps=broken[Promise.OVERLAP],
        at_once=broken[Promise.CHILDREN],
        effects=sum(fact.run is not None for fact in written),
        # The writes under an ended grant that were answered; the overtaken ones came after the next grant.
        zombie_attempted=len(refused) + committed,
        zombie_refused=len(refused),
        zombie_overtaken=overtaken,
        zombie_committed=committed,
        recoveries=len(took),  # without an outage; the times are of these
        recoveries_in_outages=len(all_recoveries) - len(took),
        recovery_p50=_percentile(took, 0.50),
        recovery_p99=_percentile(took, 0.99),
        recovery_max=took[-1] if took else 0.0,
        losses=len(result.losses),
        false_losses=len(false_losses(result)),
        grants=len(list(tenures)),
        violations={str(promise): times for promise, times in broken.items()},
        audit_violations=len(result.audit["items"]),
        settled_after=result.settled_after,
        claimed_together=result.sets.claims.together,
        ended_together=result.sets.ends.together,
        busy=sum(late for *_, late in result.busy) / max(1.0, sum(ended - began for began, ended, _ in result.busy)),
        excused=result.excused,
        users=numbers(result.users),
    )


@dataclass(frozen=True, slots=True)
class FalseLoss:
    """A loss that no fault explains, and the faults at the time."""

    loss: Loss
    meanwhile: tuple[str, ...]

    def __str__(self) -> str:
        beside = f"; meanwhile there: {', '.join(self.meanwhile)}" if self.meanwhile else ""
        return f"{self.loss.slot} lost {self.loss.lease} (token {self.loss.token}): {self.loss.cause}{beside}"


def false_losses(result: Result) -> list[FalseLoss]:
    """Return the losses without a cause: no fault took half of the tolerated outage before them."""
    timing = LeaseTiming(TTL)
    known = {(one.grant.name, one.grant.token): one for one in Tenures(result.facts)}
    found = []
    for loss in result.losses:
        tenure = known.get((loss.lease, loss.token))
        if tenure is None or loss.cause.startswith("broken by "):
            continue
        # Trust in the last renewal ends after this time. A loss before that counts from an earlier
        # renewal: the answer to the last one never came.
        lost = min(_boottime(result, loss.at), _boottime(result, tenure.last_sign) + timing.give_up)
        last = lost - timing.give_up
        near = [one for one in result.faults if one.slot in (None, loss.slot) and one.began < lost and one.ended > last]
        felt = sum(min(one.ended, lost) - max(one.began, last) for one in near if one.costs_leases)
        if felt < timing.tolerated_outage / 2:
            found.append(FalseLoss(loss, tuple(sorted({one.kind for one in near}))))
    return found


def _boottime(result: Result, instant: datetime) -> float:
    return instant.timestamp() - result.clocks.offset


def taken_alive(result: Result) -> list[str]:
    """Return live leases that were settled while their holder was alive, had neither lost nor released them,
    and nobody had broken them.
    """
    tenures = Tenures(result.facts)
    lost = {(loss.lease, loss.token) for loss in result.losses}
    lost |= {(one.grant.name, one.grant.token) for one in result.users.broken} | result.given_back
    # A grant without work is one whose reply was lost: its holder releases it itself (rule 6).
    worked = {fact.grant for fact in result.facts if isinstance(fact, Worked)}
    found = []
    for fact in result.facts:
        if not isinstance(fact, RunSettled) or fact.grant not in worked or (fact.grant.name, fact.grant.token) in lost:
            continue
        tenure, process = tenures.of(fact.grant), result.holders.get(fact.grant.holder)
        if tenure is None or tenure.ended is None or tenure.until is None or process is None:
            continue
        seen = result.seen_alive.get(process, 0.0)
        if tenure.ended.at < tenure.until and result.clocks.instant(seen) > tenure.ended.at + _LOOKS:
            found.append(
                f"the live lease {fact.grant.name!r} (token {fact.grant.token}) of process {process.pid}, which lived, was settled at {fact.at}"
            )
    return found


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
