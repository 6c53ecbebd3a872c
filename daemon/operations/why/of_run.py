"""Why a run runs, waits, did not run, or ended as it did."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ...states import MOST_ABANDONED
from ...store.statements.schedule import database_time
from ...store.tables import ScheduleKey
from ...store.views.causes import (
    Cancelled,
    Replaced,
    Retired,
    WaitsForBackfill,
    WaitsForLock,
    WaitsForPlace,
    WaitsForReplica,
    WaitsForRetry,
    WaitsForRun,
    WaitsForSlot,
    WaitsForStart,
    sentence,
)
from ...store.views.defined import Living, StoredSchedule, read_defined, read_living
from ...store.views.history import RunDetail, read_run
from ...store.views.names import keys_named
from ...store.views.output import last_lines
from ...store.views.overview import RunningRun, read_running
from ...store.views.usual import Usual, read_usual, usually
from ...text import last_line, lasted, shortened
from .explanation import Explanation, Facts, Moments, Sentence, State, at_work_text, doing, evidence, if_killed, places


@dataclass(frozen=True, slots=True)
class SaidOfRun:
    """What is read of a run."""

    detail: RunDetail
    defined: StoredSchedule
    """Its schedule."""
    living: Sequence[Living]
    running: Sequence[RunningRun]
    """All that its application runs."""
    usual: Mapping[ScheduleKey, Usual]
    """Of the schedules that run, and of its own."""
    last_output: str | None

    @property
    def at_work(self) -> RunningRun | None:
        """It as a running one."""
        return next((one for one in self.running if one.run_id == self.detail.run.run_id), None)


def read_why_run(connection: Connection, run_id: int, moments: Moments | None = None) -> Explanation:
    """Return why a run is as it is; raises `NotFound`."""
    facts = read_said_of_run(connection, run_id)
    return explained(facts, moments or Moments(database_time(connection)))


def read_said_of_run(connection: Connection, run_id: int) -> SaidOfRun:
    """Return what is read of a run to explain it; raises `NotFound`."""
    detail = read_run(connection, run_id)
    application, name = detail.run.application, detail.run.schedule
    (key,) = keys_named(connection, name, application, retired=True)
    running = read_running(connection, application)
    schedules = {(application, name), *((one.application, one.schedule) for one in running)}
    return SaidOfRun(
        detail,
        read_defined(connection, key),
        read_living(connection, application),
        running,
        read_usual(connection, schedules),
        last_lines(connection, [run_id]).get(run_id),
    )


def explained(facts: SaidOfRun, at: Moments) -> Explanation:
    run = facts.detail.run
    said = run_sentence(facts, at)
    return Explanation(run.application, run.schedule, run.run_id, said, evidence(_evidence(facts, at)))


def run_sentence(facts: SaidOfRun, at: Moments) -> Sentence:
    run = facts.detail.run
    name = f"run {run.run_id} of {run.schedule}"
    ended = "" if run.finished_at is None else f" {at(run.finished_at)}"
    match run.state:
        case "pending":
            return _waits(facts, name, at)
        case "running":
            return _runs(facts)
        case "skipped":
            text = f"{name} did not run at {at(run.scheduled_for)}: {run.in_words(at.written)}"
            return Sentence("skipped", text, run.finished_at, None, (f"leased why {run.schedule}",))
        case "succeeded":
            text = f"{name} succeeded{ended}, after {lasted(run.seconds)}"
            return Sentence("succeeded", text, run.finished_at, None, (f"leased show {run.run_id}",))
        case "cancelled":
            said = run.in_words(at.written) or ""
            text = f"{name} was cancelled{ended}" + f": {said.removeprefix('cancelled ')}" * bool(said)
            return Sentence("cancelled", text, run.finished_at, None, run.next)
        case "failed":
            crashed = facts.detail.abandoned >= MOST_ABANDONED
            again = "" if run.retried_as is None else f"; it was retried as run {run.retried_as}"
            text = f"{name} failed{ended}: {shortened(run.reason or '')}{again}"
            return Sentence("abandoned" if crashed else "failed", text, run.finished_at, None, run.next)


def _waits(facts: SaidOfRun, name: str, at: Moments) -> Sentence:
    run, why = facts.detail.run, facts.detail.run.why
    words = "waits" if why is None else sentence(why, at)
    state: State = "waiting"
    until: datetime | None = None
    more: list[str] = []
    match why:
        case Cancelled() | Replaced() | Retired():
            state, words = "cancelled", f"ends as soon as its work has: {words}"
        case WaitsForRetry(moment) | WaitsForStart(moment):
            until, more = moment, [f"leased logs {run.run_id}"] if run.attempt else []
        case WaitsForRun(ahead):
            more = [f"leased why {ahead}"]
        case WaitsForLock(run_id=under):
            more = ["leased locks" if under is None else f"leased why {under}"]
        case WaitsForSlot():
            more = ["leased locks"]
        case WaitsForBackfill():
            more = ["leased backfills"]
        case WaitsForReplica(others=others):
            state = "no definition" if others else "no replica"
            words = words if words.startswith("waits") else f"waits: {words}"
            more = ["leased generations" if others else "leased run FILE"]
        case _:
            more = ["leased status"]
    since = facts.detail.available_at if until is None else None
    return Sentence(state, f"{name} {words}", since, until, (*more, f"leased cancel {run.run_id}"))


def _runs(facts: SaidOfRun) -> Sentence:
    run, at_work = facts.detail.run, facts.at_work
    if at_work is None:  # it has ended since
        return Sentence("running", f"run {run.run_id} of {run.schedule} is running", run.started_at, None, run.next)
    known = facts.usual.get((run.application, run.schedule))
    state, text = at_work_text(at_work, facts.living, facts.running, known)
    asks = (f"leased stack {run.run_id}", *run.next)
    return Sentence(state, text, run.started_at, None, asks if state in {"running", "long"} else ("leased replicas",))


def _evidence(facts: SaidOfRun, at: Moments) -> Facts:
    detail, run = facts.detail, facts.detail.run
    if run.state != "skipped":
        yield "due", at(run.scheduled_for)
    yield "cause", _cause(detail)
    yield "attempt", _attempts(facts)
    failed = next((job for job in reversed(detail.jobs) if job.state == "failed"), None)
    if failed is not None and run.state != "succeeded":
        yield "last error", f"{failed.job}, attempt {failed.attempt}: {shortened(last_line(failed.error))}"
    if run.late_to_finish and run.finish_by is not None:
        yield "late", f"it should have succeeded by {at(run.finish_by)}"
    if facts.at_work is not None:
        yield from doing(facts.at_work, detail, facts.last_output, at)
        yield "if killed", if_killed(facts.at_work, detail, facts.living, facts.running)
    elif run.state in {"failed", "pending"}:
        yield "last output", facts.last_output
    if isinstance(run.why, WaitsForPlace):
        yield "running now", places(facts.defined.run_digest, facts.living, facts.running, facts.usual)
    ahead = getattr(run.why, "run_id", None)
    for other in (one for one in facts.running if one.run_id == ahead):
        known = facts.usual.get((other.application, other.schedule))
        yield f"run {ahead}", f"of {other.schedule}, running for {lasted(other.running_for)}{usually(known)}"
    if facts.defined.retired_at is not None:
        yield "schedule", f"{run.schedule} was retired {at.ago(facts.defined.retired_at)}"


def _cause(detail: RunDetail) -> str | None:
    run = detail.run
    if run.cause == "schedule":
        return None
    by = f" by {detail.requested_by}" if detail.requested_by else ""
    why = f": {detail.requested_why}" if detail.requested_why else ""
    what = run.retries_in_words or {"manual": "trigger"}.get(run.cause, run.cause)
    return f"{what}{by}{why}"


def _attempts(facts: SaidOfRun) -> str | None:
    """Return which attempt of how many the last job is at."""
    if not facts.detail.jobs:
        return None
    last = facts.detail.jobs[-1]
    jobs = {job["name"]: job for job in json.loads(facts.defined.definition).get("jobs", ())}
    retries = jobs.get(last.job, {}).get("retries", 0)
    failed = sum(one.job == last.job and one.state == "failed" for one in facts.detail.jobs)
    this = failed + (last.state != "failed")
    crashes = f"; {facts.detail.abandoned} of {MOST_ABANDONED} crashes in a row" if facts.detail.abandoned else ""
    return f"{last.job}: {min(this, retries + 1)} of {retries + 1}{crashes}"
