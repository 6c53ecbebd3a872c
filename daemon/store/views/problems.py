"""What is late, stuck or failing: a pure judgement of an overview."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lease.durations import format_duration

from .overview import Overview

LATE_AFTER = 60.0
"""Seconds. What is due and did not begin within them is late."""
SILENT_AFTER = 60.0
"""Seconds. A replica that says it runs and was not heard of for so long is probably gone."""

Kind = Literal["late", "stuck", "failing", "no replica", "silent replica"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that needs a look, as one sentence."""

    kind: Kind
    text: str
    application: str | None = None
    schedule: str | None = None
    run_id: int | None = None


def problems(overview: Overview) -> tuple[Problem, ...]:
    """Return what is wrong, the gravest first."""
    return (*_replicas(overview), *_stuck(overview), *_late(overview), *_failing(overview))


def _replicas(overview: Overview) -> Iterator[Problem]:
    heard = {one.application for one in overview.replicas if one.seen_ago <= SILENT_AFTER}
    needed = {one.application for one in overview.schedules if one.enabled and one.paused_at is None}
    for application in sorted(needed - heard):
        yield Problem("no replica", f"no replica of {application} is running: nothing starts", application)
    for one in overview.replicas:
        if one.seen_ago > SILENT_AFTER:
            said = f"{one.host} (process {one.pid}) was last heard of {format_duration(one.seen_ago)} ago"
            yield Problem("silent replica", said, one.application)


def _stuck(overview: Overview) -> Iterator[Problem]:
    for run in overview.running:
        if not run.held:
            said = (
                f"run {run.id} of {run.schedule} counts as running, but its lease (token {run.token}) is held no more"
            )
            yield Problem("stuck", said, run.application, run.schedule, run.id)


def _late(overview: Overview) -> Iterator[Problem]:
    for one in overview.schedules:
        if one.due_in is not None and -one.due_in > LATE_AFTER and one.enabled:
            said = f"{one.name} was due {format_duration(-one.due_in)} ago, and has not been planned"
            yield Problem("late", said, one.application, one.name)
    for run in overview.waiting:
        if run.waiting_for is not None and run.waiting_for > LATE_AFTER:
            said = f"run {run.id} of {run.schedule} could have begun {format_duration(run.waiting_for)} ago"
            yield Problem("late", said, run.application, run.schedule, run.id)


def _failing(overview: Overview) -> Iterator[Problem]:
    for one in overview.schedules:
        if one.last_state == "failed":
            said = f"{one.name} failed last time (run {one.last_run_id}: {one.last_reason})"
            yield Problem("failing", said, one.application, one.name, one.last_run_id)
