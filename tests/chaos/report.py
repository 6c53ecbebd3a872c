"""The report of a campaign: its numbers, its table, and its problems."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from types import SimpleNamespace

from lease.timing import LeaseTiming
from tests.checker import Promise
from tests.checker.facts import (
    BackfillRecorded,
    Due,
    FencedWriteRefused,
    GrantBegan,
    Recorded,
    RunSettled,
    Worked,
    Written,
)
from tests.checker.recoveries import recoveries
from tests.checker.tenures import Tenures

from .callers import told_wrongly
from .campaign import SLOTS
from .faults.acts import PauseTwice
from .faults.clocks import MoveWallClock
from .faults.file import FillDisk
from .faults.server import KillPooler
from .judgement import TTL, Result
from .releases import ONLY
from .site import WORDS
from .stepping import judgement as stepping
from .trouble import BLOCKER, KILLER, made, paid_for_others
from .users.promises import broken_promises, numbers, too_little
from .worker import FRAIL

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


def false_losses(result: Result) -> list[str]:
    """Return, in words, the losses without a cause: no fault took half of the tolerated outage before them."""
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
            beside = f"; meanwhile there: {', '.join(sorted({one.kind for one in near}))}" if near else ""
            found.append(f"{loss.slot} lost {loss.lease} (token {loss.token}): {loss.cause}{beside}")
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


_MOST = 20
_TOO_BUSY = 0.6
_LONG = 60.0
"""Seconds after which there must have been sets of several runs, and a success of the job that fails now and then."""
DRAINED = 143
"""The exit status of a replica that ended on SIGTERM."""


def problems(result: Result) -> list[str]:
    """Return what must not happen, in words; empty after a good campaign."""
    found = [str(violation) for violation in result.violations]
    found += [f"leased audit: {item['what']}" for item in result.audit["items"]]
    found += taken_alive(result)
    if result.balance != result.effects:
        found.append(f"{result.effects} effects, but {result.balance} on the account")
    if result.held:
        found.append(f"{', '.join(result.held)}: held, though every replica has ended")
    written = {(fact.run, fact.job) for fact in result.facts if isinstance(fact, Written)}
    found += [
        f"the effect of job {job} of run {run} is gone, which was committed"
        for run, job in result.acknowledged - written
    ]
    found += [f"a replica says: {line}" for line in result.bad_lines]
    found += broken_promises(result.users)
    found += paid_for_others(result.attempts)
    slots = {fact.grant.name for fact in result.facts if isinstance(fact, GrantBegan) and "slotted" in fact.grant.name}
    if not slots <= {"slotted", "slotted/2"}:
        found.append(f"a lock with 2 slots was granted as {', '.join(sorted(slots))}")
    if result.strays:
        found.append(f"{len(result.strays)} processes outlived their replicas")
    # No fault lasts until an instant counts as missed that every release has, and no schedule is paused.
    broken = result.stepped is not None and result.stepped.kind == "broken"
    if result.missed and not broken:
        found.append(f"{result.missed} instants were missed of schedules that every release has")
    paused = any(act.kind == PauseTwice.kind for act in result.acts)
    found += [
        f"{times} instants were skipped: {reason}"
        for reason, times in result.skipped.items()
        if reason not in {"overlap", "missed", "replaced"} and not (reason == "paused" and paused)
    ]
    found += [act.problem for act in result.acts if act.problem is not None]
    found += [
        f"another file under the same name was not refused: {told.said}"
        for told in result.intrusions
        if "would retire all that" not in told.said and "cannot be used" not in told.said
    ]
    if result.elsewhere:
        found.append(f"{result.elsewhere} replicas started in a database that nobody had checked")
    found += told_wrongly(result.at_once, result.facts)
    for name in SLOTS:
        if (status := result.statuses.get(name)) != DRAINED:
            found.append(f"replica {name} ended its drain with status {status}")
    # Status 1: a replica could not start, or work would have outlived its lease (rule 9).
    found += [
        f"replica {end.slot} ended by itself with status {end.status}: {end.said}"
        for end in result.ends
        if end.status != 1
    ]
    if result.stepped is not None:
        found += stepping.problems(result.stepped)
    return found + _too_little(result)


def _too_little(result: Result) -> list[str]:
    """Return why a campaign proves little: too little happened."""
    recorded = [fact for fact in result.facts if isinstance(fact, Recorded)]
    due = sum(isinstance(fact, Due) for fact in result.facts)
    tried = {fact.schedule for fact in recorded if fact.state != "cancelled"}
    idle = tried - {fact.schedule for fact in recorded if fact.state == "succeeded"} - {*ONLY, KILLER, BLOCKER}
    if result.seconds <= _LONG:
        idle.discard(FRAIL)
    found = [f'no run of "{name}" has succeeded' for name in sorted(idle)]
    done = sum(fact.state == "succeeded" for fact in recorded)
    if done < due / 2 and not (result.stepped is not None and result.stepped.kind == "broken"):
        found.append(f"only {done} of {due} occurrences ran")
    if result.seconds > _LONG:
        together = {"claimed": result.sets.claims, "ended": result.sets.ends}
        found += [f"no two runs were {what} in one set" for what, sizes in together.items() if not sizes.together]
        found += too_little(result.users)
    return found


def not_done(result: Result) -> list[str]:
    """Return what this machine could not do."""
    names = {} if result.stepped is not None else {MoveWallClock.kind: "is libfaketime installed"}
    if result.kind == "postgres":
        names[KillPooler.kind] = "is PgBouncer installed"
    else:
        names[FillDisk.kind] = "can a file system be mounted"
    return [f"{kind} ({why}?)" for kind, why in names.items() if not any(one.kind == kind for one in result.faults)]


def table(result: Result, summary: SimpleNamespace) -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"Chaos on {WORDS[result.kind]}, seed {result.seed}: {summary.total} faults in {result.seconds / 60:.1f} minutes"
    yield ""
    for kind, times in summary.faults.items():
        yield f"  {kind:<26}{times:>6}"
    for missing in not_done(result):
        yield f"  not done: {missing}"
    yield ""
    skipped = ", ".join(f"{times} ({reason})" for reason, times in summary.skipped.items()) or "none"
    yield f"  occurrences due            {summary.due:>6}   runs done {summary.done}, failed {summary.failed}, skipped {skipped}"
    yield f"  claimed together           {summary.claimed_together:>6}   {result.sets.claims}"
    yield f"  ended together             {summary.ended_together:>6}   {result.sets.ends}"
    asked = [fact for fact in result.facts if isinstance(fact, BackfillRecorded)]
    instants = sum(backfill.instants for backfill in asked)
    yield f"  run in backfills           {instants:>6}   in {len(asked)} of them, which {2 * len(result.at_once)} callers asked for"
    yield f"  lost, doubled, not over    {summary.instants_wrong:>6}"
    yield f"  effects doubled or missing {summary.effects_wrong:>6}   of {summary.effects}"
    yield f"  runs at work twice at once {summary.at_once:>6}"
    yield f"  zombie writes attempted    {summary.zombie_attempted:>6}"
    yield f"    refused                  {summary.zombie_refused:>6}   {summary.zombie_overtaken} of them after the next grant"
    yield f"    committed                {summary.zombie_committed:>6}"
    yield f"  grants                     {summary.grants:>6}   in overlap: {summary.overlaps}"
    yield (
        f"  recoveries                 {summary.recoveries:>6}   p50 {summary.recovery_p50:.2f} s, "
        f"p99 {summary.recovery_p99:.2f} s, max {summary.recovery_max:.2f} s; {summary.recoveries_in_outages} more in outages, not timed"
    )
    yield f"  this machine was busy      {summary.busy:>6.0%}   of the time for a process that was ready to run; if that counted, {summary.excused} more would be late"
    if summary.busy > _TOO_BUSY:
        yield "    not shown: what is promised in seconds; the machine was too busy for that"
    yield f"  leases lost                {summary.losses:>6}   without a fault that accounts for it: {summary.false_losses}"
    for loss in false_losses(result)[:_MOST]:
        yield f"    {loss}"
    starting = sum(end.starting for end in result.ends)
    yield f"  replicas ended themselves  {len(result.ends):>6}   {starting} of them as they found no database at their start"
    for end in result.ends:
        if not end.starting:
            yield f"    {end.slot}, status {end.status}: {' '.join(end.said.splitlines()[-1:])}"
    if result.stepped is not None:
        yield from stepping.lines(result.stepped)
    yield f"  all runs over              {summary.settled_after:>6.1f} s after the last fault"
    yield f"  visits of lock users       {summary.users['visits']:>6}   {', '.join(f'{what} {times}' for what, times in summary.users.items() if what != 'visits')}"
    kills, blocks = made(result.attempts, KILLER), made(result.attempts, BLOCKER)
    yield f"  attempts that made trouble {kills + blocks:>6}   {kills} killed their replica, {blocks} blocked its event loop"
    yield f"  leased audit               {summary.audit_violations:>6} violations"
    yield ""
    found = problems(result)
    told = ", ".join(f"{promise} {times}" for promise, times in summary.violations.items())
    yield f"{len(found)} problems{f' ({told})' if told else ''}:" if found else "No violation."
    yield from (f"  {problem}" for problem in found[:_MOST])
    if len(found) > _MOST:
        yield f"  and {len(found) - _MOST} more"
