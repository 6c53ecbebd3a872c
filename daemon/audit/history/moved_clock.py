"""The times that were written while the machine's clock was set wrong. Pure.

SQLite uses the wall clock of the process that writes, and has one writer at a time, so that the
order of the rows is the order in which they were written: a time that is minutes out of order says
nothing about what happened. PostgreSQL has a clock of its own, and its times are not examined.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

MINUTES = timedelta(minutes=10)
"""A smaller step does not count as a clock that was set."""


def wrongly_timed(job_runs: Sequence[Row[Any]], at: datetime) -> frozenset[int]:
    """Return the ids of job runs, given in the order of writing, whose times cannot be true."""
    impossible = {row.id for row in job_runs if _is_impossible(row, at)}
    possible = [row for row in job_runs if row.id not in impossible]
    kept = _longest_in_order([row.started_at for row in possible])
    return frozenset(impossible | {row.id for index, row in enumerate(possible) if _off(possible, kept, index)})


def _off(job_runs: Sequence[Row[Any]], kept: Sequence[int], index: int) -> bool:
    """Return whether a start is minutes out of the order of those kept."""
    place = bisect_right(kept, index)
    start = job_runs[index].started_at
    before = job_runs[kept[place - 1]].started_at if place else start
    after = job_runs[kept[place]].started_at if place < len(kept) else start
    return bool(start < before - MINUTES or start > after + MINUTES)


def _is_impossible(row: Row[Any], at: datetime) -> bool:
    """Return whether an attempt ended in the future, or before it started."""
    ended = row.finished_at or row.started_at
    return bool(ended > at + MINUTES or ended < row.started_at - MINUTES)


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
