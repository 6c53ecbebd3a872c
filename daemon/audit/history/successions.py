"""The successions of runs that try others again, and what they took over of those. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Row


class Successions:
    """Which run tries which again, among all runs of a history."""

    def __init__(self, runs: Iterable[Row[Any]], jobs: Mapping[int, Sequence[Row[Any]]]) -> None:
        self._retry_of: dict[int, int | None] = {run.id: run.retry_of for run in runs}
        self._jobs = jobs
        self._attempts = {job.id: job for of_run in jobs.values() for job in of_run}

    def carried(self, run: Row[Any]) -> tuple[str, ...]:
        """Return the jobs that a run took over as done."""
        return tuple(job.job for job in self._jobs.get(run.id, ()) if job.carried_from is not None)

    def not_done(self, run: Row[Any]) -> tuple[str, ...]:
        """Return the jobs that a run took over as done, although none of the runs before it has done them; what was
        pruned is believed.
        """
        carried = [job for job in self._jobs.get(run.id, ()) if job.carried_from is not None]
        before = set(self._before(run.retry_of)) if carried else set()
        return tuple(job.job for job in carried if not self._was_done(job, before))

    def _was_done(self, carried: Row[Any], before: set[int]) -> bool:
        done = self._attempts.get(carried.carried_from)
        if done is None:
            return True
        is_success = done.state == "succeeded" and done.carried_from is None and done.job == carried.job
        whole = all(self._retry_of[run] is None or self._retry_of[run] in before for run in before)
        return is_success and (done.run_id in before or not whole)

    def _before(self, run: int | None) -> Iterator[int]:
        seen: set[int] = set()
        while run in self._retry_of and run is not None and run not in seen:
            seen.add(run)
            yield run
            run = self._retry_of[run]
