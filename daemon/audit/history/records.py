"""The runs as recorded in their rows and those of their jobs. Pure."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Row

from ...states import UNFINISHED
from ..facts import BackfillRecorded, Recorded, RunMarked
from .successions import Successions


def records(
    runs: Sequence[Row[Any]], jobs: Mapping[int, Sequence[Row[Any]]], schedules: Mapping[tuple[str, str], Row[Any]]
) -> Iterator[Recorded]:
    """Yield a fact for each run.

    It names the jobs that the run must do only where they are certain: it goes by the present
    definition (rule 22); for a run of 0.1.0, which does not say by which, that has not changed since,
    and the holder that ended it is known to have that job.
    """
    defined = {key: _job_names(row.definition) for key, row in schedules.items()}
    known = _known(runs, jobs)
    successions = Successions(runs, jobs)
    for run in runs:
        key = (run.application, run.schedule)
        attempts = [job for job in jobs.get(run.id, ()) if job.carried_from is None]
        attempted = _attempted(attempts)
        by_it = run.digest is not None and run.digest == schedules[key].run_digest
        expected = _expected(run, schedules[key], defined[key], known[*key, run.holder])
        yield Recorded(
            run=run.id,
            schedule="/".join(key),
            first=run.scheduled_for,
            last=run.last_scheduled_for or run.scheduled_for,
            count=cast("int", run.count),  # the column, although a Row is typed as a tuple
            state=run.state,
            over=run.state not in UNFINISHED,
            manual=run.trigger == "manual",
            succeeded=Counter(job.job for job in attempts if job.state == "succeeded"),
            jobs=expected,
            attempted=attempted,
            left_running=tuple(job.job for job in attempts if job.state == "running" and not _runs_under(run, job)),
            # Before an adoption, another definition may have had them.
            strange=_missing(attempted, expected) if by_it and expected and run.adopted_from is None else (),
            retry_of=run.retry_of,
            backfill=run.backfill,
            carried=successions.carried(run),
            not_done=successions.not_done(run),
        )


def backfills(rows: Iterable[Row[Any]], schedules: Mapping[tuple[str, str], Row[Any]]) -> Iterator[BackfillRecorded]:
    """Yield a fact for each backfill of which no run may have been pruned."""
    for row in rows:
        key = (row.application, row.schedule)
        pruned = schedules[key].pruned_until
        if pruned is None or pruned < row.first:
            yield BackfillRecorded(row.id, "/".join(key), row.first, row.last, row.at_most, row.instants)


def _expected(
    run: Row[Any], schedule: Row[Any], defined: tuple[str, ...], known: Container[str]
) -> tuple[str, ...] | None:
    """Return the jobs that a run must do; None where they are not certain."""
    if run.digest is not None:
        return defined if run.digest == schedule.run_digest else None
    if schedule.changed_at <= run.created_at:
        return tuple(job for job in defined if job in known)
    return None


def marks(runs: Iterable[Row[Any]], jobs: Mapping[int, Sequence[Row[Any]]], *, wall_clock: bool) -> Iterator[RunMarked]:
    """Yield a fact for each run that was marked as cancelled.

    By a wall clock, which may have been set between the two, it is not certain that an attempt
    started after the end.
    """
    runs = list(runs)
    starts = {} if wall_clock else {run.id: run.started_at for run in runs}
    for run in runs:
        if run.cancelled_at is not None:
            started = (
                [] if wall_clock else [job.started_at for job in jobs.get(run.id, ()) if job.state != "not started"]
            )
            yield RunMarked(
                run=run.id,
                schedule=f"{run.application}/{run.schedule}",
                at=run.cancelled_at,
                state=run.state,
                ended=run.finished_at,
                last_start=max(started, default=None),
                replaced_by=run.replaced_by,
                newer_start=starts.get(run.replaced_by),
            )


def _attempted(attempts: Iterable[Row[Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(job.job for job in attempts if job.state != "not started"))


def _missing(attempted: Iterable[str], defined: Collection[str]) -> tuple[str, ...]:
    return tuple(job for job in attempted if job not in defined)


def _known(runs: Iterable[Row[Any]], jobs: Mapping[int, Sequence[Row[Any]]]) -> Mapping[tuple[str, str, str], set[str]]:
    """Return the jobs that each holder has started in runs of each schedule."""
    known: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for run in runs:
        for job in jobs.get(run.id, ()):
            if job.state != "not started" and job.carried_from is None:
                known[run.application, run.schedule, job.holder].add(job.job)
    return known


def _runs_under(run: Row[Any], job: Row[Any]) -> bool:
    return run.state == "running" and (run.token, run.holder) == (job.token, job.holder)


def _job_names(definition: str) -> tuple[str, ...]:
    try:
        return tuple(job["name"] for job in json.loads(definition)["jobs"])
    except (KeyError, TypeError, ValueError):  # a newer release wrote it
        return ()
