"""The grants for which the rows of runs, job runs and leases give evidence. Pure.

A grant is in force from the start of its first job run to the last moment at which the tables show that it had not
ended: the start of a job, or an end that its holder wrote, since both are written under the grant. When an abandoned or
stopped attempt ended is unknown: the lease may have been granted to another replica before that was noticed.

The name under which a token was granted is certain for the grant of a running run, and for the grant under which a run
ended. For a run's earlier grants it is certain only if the schedule has not changed since the run was created, because
the lease of a waiting run is renamed; and not at all if its runs share the slots of a lock, for each claim puts it
under another one.

Times that were written while the machine's clock was set wrong are no evidence. SQLite uses the wall clock of the
process that writes, and has one writer at a time, so that the order of the rows is the order in which they were
written: a time that is minutes out of order says nothing about what happened. PostgreSQL has a clock of its own, and
its times are not examined.
"""

from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from lease.model import Grant

from ..states import QUEUES_OF_PRIORITY, JobState
from .facts import Deleted, Fact, GrantBegan, GrantEnded, HighestToken

_Seen = dict[Grant, tuple[datetime, datetime]]
"""The first and the last moment at which a grant is known to have been in force."""
_ENDED_BY_ITS_HOLDER: tuple[JobState, ...] = ("succeeded", "failed", "not started")


def evidence(
    runs: Iterable[Row[Any]],
    jobs: Mapping[int, Sequence[Row[Any]]],
    schedules: Mapping[tuple[str, str], Row[Any]],
    leases: Iterable[Row[Any]],
    unsure: Container[int] = (),
    *,
    wall_clock_at: datetime | None = None,
) -> Iterator[Fact]:
    """Yield each grant with the last moment at which it was in force, and the tokens of the leases.

    The job runs ``unsure`` have times that cannot be true. If the times are those of a wall clock,
    which shows ``wall_clock_at`` now, a lease without any job was granted about now, or else the
    clock was set: then its time is not used.
    """
    seen: _Seen = {}
    names: set[str] = set()
    for run in runs:
        names.add(run.lease_name)
        has_slots = run.queue is not None and run.queue not in QUEUES_OF_PRIORITY
        unchanged = not has_slots and schedules[run.application, run.schedule].changed_at <= run.created_at
        for job in jobs.get(run.id, ()):
            is_present = run.state != "pending" and (run.token, run.holder) == (job.token, job.holder)
            if job.id not in unsure and (unchanged or is_present):
                last = job.finished_at if job.state in _ENDED_BY_ITS_HOLDER else job.started_at
                _see(seen, Grant(run.lease_name, job.token, job.holder), job.started_at, last)
    held: set[Grant] = set()
    standing: dict[str, int] = {}
    for row in leases:
        if row.name in names:
            standing[row.name] = row.token
            if row.holder is not None:
                grant, at = Grant(row.name, row.token, row.holder), row.granted_at
                held.add(grant)
                if at is not None and (wall_clock_at is None or abs(at - wall_clock_at) < MINUTES):
                    _see(seen, grant, at, at)
    for grant, (first, last) in seen.items():
        yield GrantBegan(grant, first)
        if grant not in held:
            yield GrantEnded(grant, last)
    for name, token in standing.items():
        yield HighestToken(name, token)
    for name in sorted({grant.name for grant in seen} - standing.keys()):
        yield Deleted(name)


def _see(seen: _Seen, grant: Grant, first: datetime, last: datetime) -> None:
    before, after = seen.get(grant, (first, last))
    seen[grant] = min(before, first), max(after, last)


MINUTES = timedelta(minutes=10)
"""A smaller step does not count as a clock that was set."""


def wrongly_timed(job_runs: Sequence[Row[Any]], at: datetime) -> frozenset[int]:
    """Return the ids of job runs, given in the order of writing, whose times cannot be true."""
    wrong, possible = set[int](), []
    for row in job_runs:
        ended = row.finished_at or row.started_at
        if ended > at + MINUTES or ended < row.started_at - MINUTES:  # in the future, or before it started
            wrong.add(row.id)
        else:
            possible.append(row)
    starts = [row.started_at for row in possible]
    kept = _longest_in_order(starts)
    for index, (row, start) in enumerate(zip(possible, starts, strict=True)):
        place = bisect_right(kept, index)
        before = starts[kept[place - 1]] if place else start
        after = starts[kept[place]] if place < len(kept) else start
        if start < before - MINUTES or start > after + MINUTES:
            wrong.add(row.id)
    return frozenset(wrong)


def _longest_in_order(times: Sequence[datetime]) -> list[int]:
    """Return the indexes of the longest subsequence of times in order (patience sorting)."""
    ends: list[datetime] = []  # of the subsequences of each length, the smallest last time
    last: list[int] = []
    before: list[int] = []
    for index, time in enumerate(times):
        length = bisect_right(ends, time)
        before.append(last[length - 1] if length else -1)
        if length == len(ends):
            ends.append(time)
            last.append(index)
        else:
            ends[length], last[length] = time, index
    found = []
    index = last[-1] if last else -1
    while index >= 0:
        found.append(index)
        index = before[index]
    return found[::-1]
