"""The page of a run: what is so, its attempts on one axis of time, its jobs, and the end of its output."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection

from ...operations.why import Moments, SaidOfRun, explained, read_said_of_run
from ...states import JobState
from ...store.policies import read_policies
from ...store.views.history import JobRunLine
from ...store.views.locks import read_grant
from ...store.views.replicas import seen_at
from ...text import json_text, last_line, shortened, signal_name, size
from ..api.asked import Parameters, RunId, Text
from . import states
from .drawing.attempts import Axis, JobSpan, draw
from .moments import ShownTimes
from .output import chosen, read_shown
from .page import Page, Visit
from .states import Shown
from .troubles import SentencePart, with_runs

MOST_OF_PARAMS = 16_384
"""Letters of the parameters of a run that are shown; `leased show` has them all."""


class RunPageAsked(Parameters):
    """A run, and the attempt whose output is shown of it."""

    run_id: RunId
    job: Text | None = None
    attempt: Annotated[int | None, Field(ge=1, le=10**6)] = None


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job of a run, by its last attempt."""

    name: str
    shown: Shown
    seconds: float | None
    since: datetime | None
    """Since when it runs."""
    attempt: JobRunLine | None
    """None: it is to come."""
    carried_from: int | None
    """The run that has done it."""
    lost: int
    """Attempts that ended in a crash."""
    how: str
    """How it ended, on one line."""
    error: str

    @property
    def percent(self) -> float | None:
        """How far it has come, by its own report."""
        if self.attempt is None or self.attempt.done is None or not self.attempt.total or self.attempt.total < 0:
            return None
        return round(min(max(100 * self.attempt.done / self.attempt.total, 0.0), 100.0), 1)


def _read(connection: Connection, asked: RunPageAsked, visit: Visit) -> Mapping[str, object]:
    facts = read_said_of_run(connection, asked.run_id)
    run = facts.detail.run
    zone = read_policies(facts.defined.definition).timezone
    times = ShownTimes(visit.now, visit.looker.zone)
    said = explained(facts, Moments(visit.now, partial(_written, times, zone)))
    lost_lease = facts.at_work is not None and not facts.at_work.held
    job = chosen(facts.detail, asked.job, asked.attempt)
    rows = list(_jobs(facts))
    lost = [one for one in facts.detail.jobs if one.state == "abandoned"]
    grant = read_grant(connection, run.run_id)
    axis = _axis(connection, facts, visit, zone, None if grant is None or grant.ttl is None else round(grant.ttl, 1))
    return {
        "asked": asked,
        "detail": facts.detail,
        "run": run,
        "shown": states.SCHEDULES["stuck"] if lost_lease else states.of_run(run.state, run.reason),
        "at_work": facts.at_work,
        "said": [one if one.url != f"runs/{run.run_id}" else SentencePart(one.text) for one in with_runs(said.text)],
        "commands": said.next,
        "evidence": said.items,
        "zone": zone,
        "usual": facts.usual.get((run.application, run.schedule)),
        "axis": axis,
        "grant": grant,
        "generation": next((one.generation for one in facts.living if one.holder == run.holder), None),
        "jobs": rows,
        "jobs_done": sum(one.attempt is not None and one.attempt.state == "succeeded" for one in rows),
        "output": None if job is None else read_shown(connection, facts.detail, job),
        "printing": [one for one in rows if one.attempt is not None and one.carried_from is None],
        "params": shortened(json_text(facts.detail.params), MOST_OF_PARAMS),
        "first_job": rows[0].name if len(rows) > 1 else None,
        "crashes": len(lost),
        "lost_seconds": sum(one.seconds for one in lost),
        "fenced": lost[-1].token if lost and run.state in ("running", "pending") else None,
    }


def _written(times: ShownTimes, zone: str, moment: datetime) -> str:
    return times.text(moment, zone, seconds=True)


def _axis(connection: Connection, facts: SaidOfRun, visit: Visit, zone: str, ttl: float | None) -> Axis | None:
    run, times = facts.detail.run, ShownTimes(visit.now, visit.looker.zone)
    usual = facts.usual.get((run.application, run.schedule))
    seen = seen_at(connection, {one.holder for one in facts.detail.jobs if one.state in ("abandoned", "stopped")})
    spans = [
        JobSpan(
            shortened(job.job),
            job.state,
            job.replica or shortened(job.holder, 40),
            job.token,
            job.started_at,
            job.finished_at,
            job.renewed_at,
            _last_sign(job, seen.get(job.holder)),
        )
        for job in facts.detail.jobs
        if job.state != "not started" and job.carried_from is None
    ]
    since = run.started_at if run.state == "running" else None
    return draw(
        spans,
        visit.now if run.state == "running" else None,
        lambda at, seconds: times.text(at, zone, seconds=seconds),
        usual_end=None if since is None or usual is None else since + timedelta(seconds=usual.median),
        long_since=None if since is None or usual is None else since + timedelta(seconds=usual.p95),
        offset=visit.now.astimezone(times.zone(zone)).utcoffset() or timedelta(),
        ttl=ttl,
    )


def _last_sign(job: JobRunLine, seen: datetime | None) -> datetime | None:
    """Return the last sign of life of an attempt before it was recorded that it ended."""
    before = job.finished_at
    known = [one for one in (seen, job.progress_at, job.printed_at) if one is not None and before and one <= before]
    return max(known, default=None)


def _jobs(facts: SaidOfRun) -> Iterator[JobRow]:
    """Yield the jobs of a run in their order, those that are to come last."""
    of_jobs = facts.detail.by_job
    for name, attempts in of_jobs.items():
        last = attempts[-1]
        yield JobRow(
            name,
            _job_state(last.state, is_over=facts.detail.state not in ("pending", "running")),
            None if last.state == "not started" or last.carried_from is not None else last.seconds,
            last.started_at if last.state == "running" else None,
            last,
            last.carried_from,
            sum(one.state == "abandoned" for one in attempts),
            " · ".join(_how(last)),
            shortened(last_line(last.error), 300),
        )
    if facts.detail.state in ("pending", "running") and facts.detail.digest == facts.defined.run_digest:
        for job in json.loads(facts.defined.definition).get("jobs", ()):
            if job["name"] not in of_jobs:
                yield JobRow(job["name"], states.RUNS["pending"], None, None, None, None, 0, "", "")


def _job_state(state: JobState, *, is_over: bool) -> Shown:
    if state == "stopped" and is_over:
        return Shown("stopped", "cancelled", "idle")
    return states.ATTEMPTS[state]


def _how(job: JobRunLine) -> Iterator[str]:
    if job.carried_from is None:
        yield f"attempt {job.attempt}" + (f", {job.replica}" if job.replica else "")
    if job.exit_status is not None and (job.exit_status or job.state != "succeeded"):
        yield f"exit status {job.exit_status}"
    if job.exit_signal is not None:
        yield f"ended by {signal_name(job.exit_signal)}"
    if job.lost_by is not None:
        yield f"lost its lease: {shortened(job.lost_why or job.lost_by)}"
    if job.peak_memory is not None:
        yield f"peak {size(job.peak_memory)}"


RUN = Page("/runs/{run_id}", "run", RunPageAsked, _read, tab="runs")
