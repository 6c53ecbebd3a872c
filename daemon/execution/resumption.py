"""The resumption of a run: the jobs that earlier attempts left to do. Pure (rule 16)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from ..definitions.job import Job
from ..definitions.schedule import Schedule
from .claim import EarlierAttempts
from .next_step import GoneJob, stops_run


@dataclass(frozen=True, slots=True)
class Resumption:
    """The jobs of a schedule, and the earlier attempts of each in this run."""

    schedule: Schedule
    earlier: Mapping[str, EarlierAttempts]

    @classmethod
    def of(cls, schedule: Schedule, attempts: Sequence[EarlierAttempts]) -> Self:
        """Return the resumption of a run with these earlier attempts."""
        return cls(schedule, {job.job: job for job in attempts})

    def remaining(self) -> list[tuple[int, Job]]:
        """Return the jobs that are not done, with their positions, in order."""
        done = {job.job for job in self.earlier.values() if job.state == "succeeded"}
        done.update(self.failed_for_good())
        return [(position, job) for position, job in enumerate(self.schedule.jobs) if job.name not in done]

    def failed_for_good(self) -> list[str]:
        """Return the jobs that used up their attempts while the others go on (`on_failure`)."""
        if stops_run(self.schedule.on_failure):
            return []
        return [job.name for job in self.schedule.jobs if self.failures(job.name) > job.retries]

    def gone(self) -> list[GoneJob]:
        """Return the jobs that were attempted, have not succeeded, and are no longer defined (rule
        22).
        """
        defined = {job.name for job in self.schedule.jobs}
        return [
            GoneJob(job.job, failed=job.failures > 0)
            for job in self.earlier.values()
            if job.job not in defined and job.state not in {"succeeded", "not started"}
        ]

    def failures(self, job: str) -> int:
        """Return how many attempts of a job have failed."""
        earlier = self.earlier.get(job)
        return earlier.failures if earlier else 0

    def next_attempt(self, job: str) -> int:
        """Return the number of the next attempt of a job, from 1."""
        earlier = self.earlier.get(job)
        return earlier.next_attempt if earlier else 1
