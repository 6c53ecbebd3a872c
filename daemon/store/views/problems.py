"""The problems in an overview: what is late, stuck or failing. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal, assert_never

from lease.durations import format_duration

from ...states import LIVE, LONG_LEVELS, SEEN_WITHIN, UNSEEN_IS_DEAD, LongLevel
from ...text import ago, counted, lasted, listed, shortened, when
from ..tables import ScheduleKey
from .causes import NO_REPLICA, WaitsForLock
from .lately import Past, TryingRun
from .overview import Overview, RunningRun, ScheduleLine, WaitingRun
from .usual import Usual, long_for, usually

LATE_AFTER = 60.0
"""Seconds. A run or schedule that is overdue for longer than this is late."""
MOST_NAMED = 5
"""How many runs of a replica a sentence names."""

Kind = Literal[
    "late",
    "late to finish",
    "long",
    "lock held",
    "stuck",
    "failing",
    "failed",
    "missed",
    "thinned",
    "never ran",
    "no replica",
    "silent replica",
    "no schedules",
    "blocked",
    "retired",
    "replaced",
    "held back",
    "not delivered",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem that people should look at, as one sentence."""

    kind: Kind
    text: str
    application: str | None = None
    schedule: str | None = None
    run_id: int | None = None
    next: tuple[str, ...] = ()
    """The commands that tell more, or help."""
    level: LongLevel | None = None
    """How serious it is that a run takes long, or that a lock is held for long."""


_NO_SCHEDULES = Problem("no schedules", "there are no schedules yet; `leased run FILE` or `leased sync FILE` adds them")


def problems(overview: Overview, written: Callable[[datetime], str] = when) -> tuple[Problem, ...]:
    """Return the problems, the most serious first, with their instants as they are ``written``."""
    named = naming(overview)
    stuck_runs = [run for run in overview.running if not run.held]
    return (
        *([_NO_SCHEDULES] if not overview.schedules and not overview.all_retired else []),
        *_replicas(overview),
        *[Problem("stuck", stuck(run, named(run)), *_of(run), run.run_id, _look_at(run)) for run in stuck_runs],
        *_late(overview, named),
        *_late_to_finish(overview, named, written),
        *_long(overview, named),
        *_locks(overview),
        *_retired(overview, named),
        *_failing(overview, named, written),
        *_left_out(overview, named, written),
    )


OfSchedule = ScheduleLine | RunningRun | WaitingRun | TryingRun | Past
Named = Callable[[OfSchedule], str]


def naming(overview: Overview) -> Named:
    """Return a function that names the schedule of a line: where there are several applications, with its own."""
    if len({schedule.application for schedule in overview.schedules}) < 2:
        return lambda line: line.schedule
    return lambda line: f"{line.schedule} ({line.application})"


def _replicas(overview: Overview) -> Iterator[Problem]:
    alive = [replica for replica in overview.replicas if replica.state in LIVE]
    seen = {replica.application for replica in alive if replica.seen_ago <= UNSEEN_IS_DEAD}
    needed = {one.application for one in overview.schedules if one.enabled and one.paused_at is None}
    needed |= {run.application for run in overview.waiting if run.waiting_for is not None and run.waiting_for >= 0}
    applications = {schedule.application for schedule in overview.schedules}
    for application in sorted((needed & applications) - seen):
        text = NO_REPLICA
        if len(applications) > 1:
            text = (
                f"no replica of {application} is running; start one (`leased run FILE`), or if it is gone for good: "
                f"`leased retire --application {application}`"
            )
        yield Problem("no replica", text, application)
    for replica in alive:
        if replica.seen_ago > SEEN_WITHIN:
            runs = [run for run in overview.running if run.holder == replica.holder]
            alone = not any(one.seen_ago <= SEEN_WITHIN for one in alive if one.application == replica.application)
            text = silence(f"{replica.host}:{replica.pid}", replica.seen_ago, runs, alone=alone)
            yield Problem("silent replica", text, replica.application)
        elif replica.blocked is not None:
            yield Problem("blocked", f"{replica.host}:{replica.pid}: {replica.blocked}", replica.application)


def silence(name: str, seen_ago: float, runs: Sequence[RunningRun], *, alone: bool) -> str:
    """Return since when a replica is silent, and what becomes of its runs; ``alone``: its application has no other."""
    text = f"{name} was last seen {ago(seen_ago)}"
    if not runs:
        return text
    those = f"{'run' if len(runs) == 1 else 'runs'} {listed([str(run.run_id) for run in runs], MOST_NAMED)}"
    if alone:
        return f"{text}, and no other replica is running that can take over {those}; start one: leased run FILE"
    expire_in = max((run.lease_expires_in or 0.0 for run in runs), default=0.0)
    if expire_in > 0:
        return f"{text}; if it stays silent, other replicas may take over {those} {ago(-expire_in)}"
    since = ago(-min(run.lease_expires_in or 0.0 for run in runs))
    return f"{text}; its leases expired {since}: other replicas with the definitions may take over {those}"


def recorded(run: RunningRun, name: str) -> str:
    """Return how a run is recorded of which nobody knows whether it runs."""
    how = f"was cancelled by {run.cancelled_by}, and ends as soon as its work has" if run.cancelled_by else ""
    return f"run {run.run_id} of {name} {how or 'is recorded as running'}"


def stuck(run: RunningRun, name: str) -> str:
    """Return what is wrong with a run whose lease is over."""
    since = "" if run.lease_expires_in is None else f" (it expired {ago(-run.lease_expires_in)})"
    return f"{recorded(run, name)}, but its lease (token {run.token}) is no longer held{since}"


def _late(overview: Overview, named: Named) -> Iterator[Problem]:
    for schedule in overview.schedules:
        if schedule.due_in is not None and -schedule.due_in > LATE_AFTER and schedule.enabled:
            text = f"{named(schedule)} was due {format_duration(-schedule.due_in)} ago but has not been planned"
            yield Problem("late", text, *_of(schedule))
    defined = {_of(one) for one in overview.schedules}  # of others `_retired` tells
    waiting = [run for run in overview.waiting if (run.waiting_for or 0.0) > LATE_AFTER and _of(run) in defined]
    for _, group in groupby(sorted(waiting, key=_of), key=_of):
        runs = sorted(group, key=lambda run: run.waiting_for or 0.0, reverse=True)
        longest = runs[0]
        waited = format_duration(longest.waiting_for or 0.0)
        text = f"run {longest.run_id} of {named(longest)} has waited for {waited}"
        if len(runs) > 1:
            at_least = "at least " if overview.waiting_count > len(overview.waiting) else ""
            text = f"{at_least}{len(runs)} runs of {named(longest)} are waiting; run {longest.run_id} has waited longest, {waited}"
        yield Problem("late", text, *_of(longest), longest.run_id, _look_at(longest))


def _of(line: OfSchedule) -> ScheduleKey:
    return line.application, line.schedule


def _look_at(run: RunningRun | WaitingRun | TryingRun) -> tuple[str, ...]:
    return (f"leased show {run.run_id}",)


def _retired(overview: Overview, named: Named) -> Iterator[Problem]:
    """Yield one for each schedule that is not defined any more, and of which a run is not over."""
    defined = {_of(one) for one in overview.schedules}
    unfinished: Iterable[RunningRun | WaitingRun] = (*overview.running, *overview.waiting)
    left = [one for one in unfinished if _of(one) not in defined]
    for (application, name), group in groupby(sorted(left, key=_of), key=_of):
        runs = list(group)
        running = sum(isinstance(run, RunningRun) for run in runs)
        at_least = "at least " if overview.waiting_count > len(overview.waiting) else ""
        at_work, waiting = f"{running:,} running", f"{at_least}{len(runs) - running:,} waiting"
        what = " and ".join([*([at_work] if running else []), *([waiting] if len(runs) > running else [])])
        text = (
            f'{named(runs[0])} is retired but has active runs: {what}; if it was renamed, add was = "{name}" to the new '
            f"one; otherwise let them finish, or cancel them with `leased cancel --schedule {name}`"
        )
        yield Problem("retired", text, application, name, min(run.run_id for run in runs))


def _late_to_finish(overview: Overview, named: Named, written: Callable[[datetime], str]) -> Iterator[Problem]:
    going_on = (run for run in overview.running if run.cancelled_by is None)
    unfinished: Iterable[RunningRun | WaitingRun] = (*going_on, *overview.waiting)
    for run in unfinished:
        if run.finish_by is not None and run.finish_by < overview.database_time:
            text = f"run {run.run_id} of {named(run)} should have succeeded by {written(run.finish_by)}"
            yield Problem("late to finish", text, *_of(run), run.run_id, _look_at(run))


def has_run(run: RunningRun, name: str, known: Usual | None) -> str:
    """Return for how long a run has been running, how long that usually takes, and whether it is long."""
    on = f" on {run.host}:{run.pid}" if run.host else ""
    text = f"run {run.run_id} of {name} has been running for {lasted(run.running_for)}{on}{usually(known)}"
    return text if run.long is None else f"{text}, {run.long.text}"


def _long(overview: Overview, named: Named) -> Iterator[Problem]:
    long = [(run.long, run) for run in overview.running if run.held and run.long is not None]
    for one, run in sorted(long, key=lambda pair: LONG_LEVELS.index(pair[0].level), reverse=True):
        more = (f"leased why {run.run_id}", f"leased logs {run.run_id}")
        text = has_run(run, named(run), one.usual)
        yield Problem("long", text, *_of(run), run.run_id, more, one.level)


def _locks(overview: Overview) -> Iterator[Problem]:
    """Yield one for each lock that a program has held for long, and for which a run waits."""
    locks = [(run.why, run) for run in overview.waiting if isinstance(run.why, WaitsForLock)]
    for name, group in groupby(sorted(locks, key=lambda pair: pair[0].lock), key=lambda pair: pair[0].lock):
        (held, first), *others = group
        if held.since is None or held.run_id is not None:
            continue
        seconds = (overview.database_time - held.since).total_seconds()
        if (long := long_for(seconds, None, None)) is not None:
            waits = f"{1 + len(others):,} runs wait for it" if others else f"run {first.run_id} waits for it"
            by = held.held_by or "an unknown client"
            text = f'the lock "{name}" has been held for {lasted(seconds)} by {by}, {long.text}; {waits}'
            more = (f"leased locks {name}", *_look_at(first))
            yield Problem("lock held", text, *_of(first), first.run_id, more, long.level)


def _failing(overview: Overview, named: Named, written: Callable[[datetime], str]) -> Iterator[Problem]:
    """Yield those whose last finished run failed, whatever has begun since, and those with a run that still fails."""
    failed = {_of(one) for one in overview.schedules if one.finished_state == "failed"}
    for schedule in overview.schedules:
        if schedule.finished_state == "failed":
            last, reason = schedule.finished_run_id, shortened(schedule.finished_reason or "")
            which = "last" if schedule.last_run_id == last else "last finished"
            text = f"the {which} run of {named(schedule)} failed (run {last}: {reason})"
            if schedule.failures > 1:
                text += f"; {schedule.failures:,} have failed since one succeeded"
            yield Problem("failing", text, *_of(schedule), last, (f"leased show {last}", f"leased retry {last}"))
    trying = [run for run in overview.trying if _of(run) not in failed]
    for key, group in groupby(sorted(trying, key=_of), key=_of):
        first, *others = group
        text = _trying(first, named(first), written)
        text += f"; {len(others):,} more of its runs do so too" if others else ""
        yield Problem("failing", text, *key, first.run_id, _look_at(first))


def _trying(run: TryingRun, name: str, written: Callable[[datetime], str]) -> str:
    attempts = "1 attempt" if run.failures == 1 else f"{run.failures:,} attempts in a row"
    text = f'run {run.run_id} of {name} has failed {attempts} of job "{run.job}"'
    text += f" and waits for the retry at {written(run.retry_at)}" if run.retry_at is not None else ""
    if run.skipped:
        text += f"; {counted(run.skipped, 'scheduled time')} after it {'was' if run.skipped == 1 else 'were'} skipped because of it"
    return text + (f" ({shortened(run.error)})" if run.error else "")


def _left_out(overview: Overview, named: Named, written: Callable[[datetime], str]) -> Iterator[Problem]:
    for schedule in overview.schedules:
        left_out, of = schedule.left_out, _of(schedule)
        if left_out.missed and not left_out.missed_as_asked:
            text = f"{named(schedule)} missed {counted(left_out.missed, 'scheduled time')} in the last 24h"
            yield Problem("missed", text, *of)
        if left_out.is_thinned and schedule.enabled and schedule.paused_at is None:
            text = (
                f"{left_out.overlapped} of the last {left_out.latest} scheduled times of {named(schedule)} were "
                "skipped because an earlier run was active"
            )
            if left_out.median_seconds is not None:  # whether they wait long or take long: each needs another remedy
                wait, took = lasted(left_out.median_wait), lasted(left_out.median_seconds)
                text += f"; its runs usually start {wait} after their scheduled time, and take {took}"
            yield Problem("thinned", text, *of)
        if schedule.never_ran_at is not None and schedule.paused_at is None:
            text = f"{named(schedule)} has never run: it missed its scheduled time {written(schedule.never_ran_at)}"
            yield Problem("never ran", text, *of, next=(f"leased why {schedule.schedule}",))


def past_problems(overview: Overview, past: list[Past], since: datetime) -> Iterator[Problem]:
    """Yield a problem for each, unless those of the present say as much."""
    named, lines = naming(overview), {_of(line): line for line in overview.schedules}
    for one in past:
        line = lines.get(_of(one))
        if line is not None and (
            (one.kind == "failed" and one.count == 1 and line.finished_run_id == one.run_id)
            or (one.kind == "missed" and one.count <= line.left_out.missed)
        ):
            continue
        text = _past(one, named(one), since)
        yield Problem(one.kind, text, *_of(one), None if one.kind == "missed" else one.run_id)


def _past(one: Past, name: str, since: datetime) -> str:
    more = f"; {counted(one.count - 1, 'more run')} {{}} since {when(since)}" if one.count > 1 else ""
    match one.kind:
        case "missed":
            return f"{name} missed {counted(one.count, 'scheduled time')} since {when(since)}"
        case "failed":
            failed = f"run {one.run_id} of {name} failed at {when(one.finished_at)}: {shortened(one.reason or '')}"
            return failed + more.format("failed")
        case "late to finish":
            late = f"run {one.run_id} of {name} succeeded at {when(one.finished_at)}, after its deadline"
            return f"{late} {when(one.finish_by)}" + more.format("were late")
        case _:
            assert_never(one.kind)
