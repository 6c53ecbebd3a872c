"""The problems in an overview: what is late, stuck or failing. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from lease.durations import format_duration

from ...states import LIVE
from ...text import when
from ..schedule_key import ScheduleKey
from .overview import Overview, RunningRun, ScheduleLine, WaitingRun

LATE_AFTER = 60.0
"""Seconds. A run or schedule that is overdue for longer than this is late."""
SILENT_AFTER = 60.0
"""Seconds. A replica recorded as alive that was not seen for longer is probably gone."""

Kind = Literal["late", "late to finish", "stuck", "failing", "no replica", "silent replica", "no schedules", "blocked"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem that people should look at, as one sentence."""

    kind: Kind
    text: str
    application: str | None = None
    schedule: str | None = None
    run_id: int | None = None


def problems(overview: Overview) -> tuple[Problem, ...]:
    """Return the problems, the most serious first."""
    return (
        *_nothing(overview),
        *_replicas(overview),
        *_stuck(overview),
        *_late(overview),
        *_late_to_finish(overview),
        *_failing(overview),
    )


def naming(overview: Overview) -> Callable[[ScheduleLine | RunningRun | WaitingRun], str]:
    """Return a function that names the schedule of a line: where there are several applications, with its own."""
    if len({schedule.application for schedule in overview.schedules}) < 2:
        return lambda line: line.schedule
    return lambda line: f"{line.schedule} ({line.application})"


def _nothing(overview: Overview) -> Iterator[Problem]:
    if not overview.schedules:
        yield Problem("no schedules", "there are no schedules yet; `leased run FILE` or `leased sync FILE` adds them")


def _replicas(overview: Overview) -> Iterator[Problem]:
    alive = [replica for replica in overview.replicas if replica.state in LIVE]
    seen = {replica.application for replica in alive if replica.seen_ago <= SILENT_AFTER}
    needed = {
        schedule.application for schedule in overview.schedules if schedule.enabled and schedule.paused_at is None
    }
    for application in sorted(needed - seen):
        yield Problem("no replica", f"no replica of {application} is running, so no runs start", application)
    for replica in alive:
        if replica.seen_ago > SILENT_AFTER:
            text = f"{replica.host}:{replica.pid} was last seen {format_duration(replica.seen_ago)} ago"
            yield Problem("silent replica", text, replica.application)
        elif replica.blocked is not None:
            yield Problem("blocked", f"{replica.host}:{replica.pid}: {replica.blocked}", replica.application)


def _stuck(overview: Overview) -> Iterator[Problem]:
    named = naming(overview)
    for run in overview.running:
        if not run.held:
            text = (
                f"run {run.run_id} of {named(run)} is recorded as running, "
                f"but its lease (token {run.token}) is no longer held"
            )
            yield Problem("stuck", text, run.application, run.schedule, run.run_id)


def _late(overview: Overview) -> Iterator[Problem]:
    named = naming(overview)
    for schedule in overview.schedules:
        if schedule.due_in is not None and -schedule.due_in > LATE_AFTER and schedule.enabled:
            text = f"{named(schedule)} was due {format_duration(-schedule.due_in)} ago but has not been planned"
            yield Problem("late", text, schedule.application, schedule.schedule)
    waiting = [run for run in overview.waiting if (run.waiting_for or 0.0) > LATE_AFTER]
    for _, group in groupby(sorted(waiting, key=_of), key=_of):
        runs = sorted(group, key=lambda run: run.waiting_for or 0.0, reverse=True)
        longest = runs[0]
        waited = format_duration(longest.waiting_for or 0.0)
        text = f"run {longest.run_id} of {named(longest)} has waited for {waited}"
        if len(runs) > 1:
            at_least = "at least " if overview.waiting_count > len(overview.waiting) else ""
            text = (
                f"{at_least}{len(runs)} runs of {named(longest)} wait, run {longest.run_id} for the longest, {waited}"
            )
        yield Problem("late", text, longest.application, longest.schedule, longest.run_id)


def _of(run: WaitingRun) -> ScheduleKey:
    return run.application, run.schedule


def _late_to_finish(overview: Overview) -> Iterator[Problem]:
    named = naming(overview)
    going_on = (run for run in overview.running if run.cancelled_by is None)
    unfinished: Iterable[RunningRun | WaitingRun] = (*going_on, *overview.waiting)
    for run in unfinished:
        if run.finish_by is not None and run.finish_by < overview.database_time:
            text = f"run {run.run_id} of {named(run)} should have succeeded by {when(run.finish_by)}"
            yield Problem("late to finish", text, run.application, run.schedule, run.run_id)


def _failing(overview: Overview) -> Iterator[Problem]:
    named = naming(overview)
    for schedule in overview.schedules:
        if schedule.last_state == "failed":
            text = f"the last run of {named(schedule)} failed (run {schedule.last_run_id}: {schedule.last_reason})"
            yield Problem("failing", text, schedule.application, schedule.schedule, schedule.last_run_id)
