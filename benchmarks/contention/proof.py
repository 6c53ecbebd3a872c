"""That every due schedule ran exactly once, read from the database and from what the replicas say they did."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, and_, case, distinct, func, select

from daemon.store.tables import job_run, run
from lease.schema import lease

from ..errors import BenchmarkError
from .workload import MEASURED


@dataclass(frozen=True, slots=True)
class Proof:
    """Counts that are all the number of schedules, if each ran exactly once."""

    schedules: int
    """Schedules that have a run."""
    runs: int
    """All their runs."""
    succeeded: int
    """Those that succeeded at the first attempt."""
    job_runs: int
    """All attempts of their jobs, whatever became of them."""
    jobs_done: int
    """Runs with a job that succeeded."""
    grants: int
    """How often their leases were granted: the sum of the tokens."""
    free: int
    """Their leases that are free again."""
    executed: int
    """Runs that the replicas say they ended, counted once for each replica that says so."""

    def check(self, expected: int) -> None:
        """Raise `BenchmarkError`, unless each of so many schedules ran exactly once."""
        wrong = [f"{name} is {count}" for name, count in asdict(self).items() if count != expected]
        if wrong:
            raise BenchmarkError(f"not every one of {expected} schedules ran exactly once: {', '.join(wrong)}")


def read_proof(connection: Connection, executed: Iterable[int]) -> Proof:
    """Read what the database says of the runs that were measured."""
    ours = run.c.application == MEASURED
    first_time = and_(run.c.state == "succeeded", run.c.attempt == 1, run.c.abandoned == 0)
    of_runs = connection.execute(
        select(
            func.count(distinct(run.c.schedule)),
            func.count(),
            func.count(case((first_time, 1))),
            func.coalesce(func.sum(lease.c.token), 0),
            func.count(case((and_(lease.c.name.is_not(None), lease.c.holder.is_(None)), 1))),
        )
        .select_from(run.outerjoin(lease, lease.c.name == run.c.lease_name))
        .where(ours)
    ).one()
    of_jobs = connection.execute(
        select(func.count(), func.count(distinct(case((job_run.c.state == "succeeded", job_run.c.run_id)))))
        .select_from(job_run.join(run, run.c.id == job_run.c.run_id))
        .where(ours)
    ).one()
    schedules, runs, succeeded, grants, free = (int(value) for value in of_runs)
    said = Counter(executed)
    twice = [number for number, times in said.items() if times > 1]
    if twice:
        raise BenchmarkError(f"more than one replica ended run {', '.join(map(str, twice[:5]))}")
    return Proof(schedules, runs, succeeded, int(of_jobs[0]), int(of_jobs[1]), grants, free, said.total())
