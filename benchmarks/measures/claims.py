"""Claims: replicas that are in each other's way."""

from collections.abc import Callable
from dataclasses import replace
from math import inf

from ..benchmark import Benchmark
from ..contention.fleet import Fleet
from ..contention.options import FULL, QUICK
from ..contention.series import Series
from ..contention.series import measure as measure_series
from ..contention.trial import Trial
from ..figures import Figure, Floor, Must, Unit, against, at_least, at_most
from ..site import Site


def measure(site: Site) -> list[Figure]:
    """Measure with each number of replicas, in each round."""
    size = replace(site.size(FULL, QUICK), rounds=site.rounds, seconds=None)
    with Fleet(max(size.replicas)) as fleet:
        return [figure for store in site.stores for figure in figures(measure_series(store, size, fleet, inf))]


def figures(series: Series) -> list[Figure]:
    """Return what a series shows: runs a second of each number of replicas, and what the most of them cost."""
    database = series.facts.database
    replicas = [trial.replicas for trial in series.rounds[0]]
    speeds = {
        number: tuple(one[index].runs_per_second for one in series.rounds) for index, number in enumerate(replicas)
    }
    one = Floor("1 replica", speeds[replicas[0]])
    shown = [
        Figure(_replicas(number), "runs/s", speeds[number], database, one if number > replicas[0] else None)
        for number in replicas
    ]
    best = tuple(max(trial.runs_per_second for trial in trials) for trials in series.rounds)
    most = [trials[-1] for trials in series.rounds]
    label = _replicas(replicas[-1])

    def of_most(what: str, unit: Unit, value: Callable[[Trial], float], must: Must | None = None) -> Figure:
        return Figure(f"{label}: {what}", unit, tuple(map(value, most)), database, must=must)

    shown += [
        Figure(f"{label} against the best", "x", against(speeds[replicas[-1]], best), database, must=at_least(0.9)),
        of_most("claim, p50", "ms", lambda trial: trial.claim_p50 * 1_000),
        of_most("claim, p99", "ms", lambda trial: trial.claim_p99 * 1_000),
        of_most("statements a run", "", lambda trial: trial.statements_per_run),
        of_most("commits a run", "", lambda trial: trial.commits_per_run),
        of_most("transactions tried again", "", lambda trial: trial.tried_again),
        of_most("smallest share of a replica", "x", lambda trial: trial.smallest_share),
        Figure(
            "empty claims, in all trials of a round",
            "",
            tuple(float(sum(trial.empty_claims for trial in trials)) for trials in series.rounds),
            database,
            must=at_most(0),
        ),
        Figure(
            "deadlocks, in all trials of a round",
            "",
            tuple(float(sum(trial.deadlocks or 0 for trial in trials)) for trials in series.rounds),
            database,
            must=at_most(0),
        ),
        Figure(
            f"a claim beside {series.flatness.finished_runs:,} finished runs, against one without",
            "x",
            (series.flatness.ratio,),
            database,
        ),
    ]
    return shown


def _replicas(number: int) -> str:
    return "1 replica" if number == 1 else f"{number} replicas"


BENCHMARK = Benchmark(
    "claims",
    "Contention",
    """1,000 schedules are due. 1, 2, 4 or 8 replicas begin at the same moment and go on until nothing is left. Each is a
process with its own connections and heartbeat, and does what `leased run` does: it claims up to 10 runs, their leases and
their first attempts in one transaction, executes them at once, and ends all attempts, runs and leases in one transaction.
The job does nothing, so that only the cost of keeping replicas apart is left to see. An empty claim is one that came back
with nothing while runs were pending; the smallest share is the runs of the replica that had the fewest, relative to an even
share.

Every trial starts from a fresh copy of the same database, with connections open and statements compiled. Afterwards the
database must give proof: each schedule has one run, claimed once, under one grant; one attempt of its job; its lease is
free; and no two replicas say that they ended it. If a single count is off, there are no figures. All replicas and the
database share the cores of one machine, so that a ratio below 1 is a lack of cores before it is contention.
`python -m benchmarks.contention` shows more of each trial.""",
    measure,
    why_not_more="""All replicas and the server share two cores, and with eight replicas nine processes or more want them at once. Statements and
commits a run stay the same (1.2 and 0.2), no claim is empty and none is tried again, so the replicas do not get in each other's
way; they wait for a core. On SQLite there is one writer, and each waits until the others have committed.""",
)
