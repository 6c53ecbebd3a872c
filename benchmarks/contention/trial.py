"""One trial: so many replicas on a fresh copy of the work, and what came of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import quantiles

from lease.database.opening import open_database

from ..stores import Store
from .fleet import Fleet, Order
from .proof import Proof, read_proof
from .replica import Part
from .workload import TIMEOUT


@dataclass(frozen=True, slots=True)
class Trial:
    """What so many replicas did together. Durations are in seconds."""

    replicas: int
    seconds: float
    """From the start to the end of the last run."""
    runs_per_second: float
    claims: int
    """Claims that brought something."""
    empty_claims: int
    """Claims that brought nothing while runs were left."""
    claim_p50: float
    claim_p99: float
    statements_per_run: float
    commits_per_run: float
    deadlocks: int | None
    """None: this database has none."""
    tried_again: int
    """Transactions that failed (deadlock, no answer in time) and were tried again."""
    at_risk: int
    """Renewals that failed, or passed over a lease whose row was locked."""
    smallest_share: float
    """What the replica with the fewest runs had, of an even share."""
    proof: Proof


def hold_trial(store: Store, template: str, fleet: Fleet, order: Order, replicas: int) -> Trial:
    """Hold one trial on a copy of the template; ``order`` needs no URL. Raises `BenchmarkError`, also when a run was lost or doubled."""
    with store.copy(template) as url:
        parts = fleet.run(Order(url, order.schedules, order.warm_up, order.places), replicas)
        deadlocks = store.deadlocks(url)
        proof = asyncio.run(_proof(url, parts))
    proof.check(order.schedules)
    return _trial(parts, deadlocks, proof)


def _trial(parts: Sequence[Part], deadlocks: int | None, proof: Proof) -> Trial:
    runs = sum(len(part.runs) for part in parts)
    seconds = max(part.ended for part in parts) - min(part.started for part in parts)
    claims = [claim for part in parts for claim in part.claims]
    cuts = quantiles(claims * 2, n=100, method="inclusive")  # twice, so that one is enough
    return Trial(
        replicas=len(parts),
        seconds=seconds,
        runs_per_second=runs / seconds,
        claims=len(claims),
        empty_claims=sum(part.empty for part in parts),
        claim_p50=cuts[49],
        claim_p99=cuts[98],
        statements_per_run=sum(part.statements for part in parts) / runs,
        commits_per_run=sum(part.commits for part in parts) / runs,
        deadlocks=deadlocks,
        tried_again=sum(part.unavailable for part in parts),
        at_risk=sum(part.at_risk for part in parts),
        smallest_share=min(len(part.runs) for part in parts) * len(parts) / runs,
        proof=proof,
    )


async def _proof(url: str, parts: Sequence[Part]) -> Proof:
    executed = [number for part in parts for number in part.runs]
    database = open_database(url, timeout=TIMEOUT)
    try:
        return await database.read(partial(read_proof, executed=executed))
    finally:
        await database.close()
