"""The log of facts: a subscriber that writes each fact as one log line."""

import logging
from dataclasses import fields
from typing import Any, assert_never

from lease.durations import format_duration
from lease.events import (
    AtRisk,
    CallbackFailed,
    ClockStepped,
    Dropped,
    Event,
    Granted,
    HeartbeatFailed,
    Lost,
    OnNetwork,
    OrphanReleased,
    OutOfRisk,
    Refused,
    Released,
    ReleaseFailed,
    Renewed,
    Stalled,
    Unanswered,
)
from lease.model import Grant, LeaseRecord, Loss

from ..states import JobOutcome, RunOutcome
from ..text import last_line
from .facts import (
    DatabaseAway,
    DatabaseBack,
    Fact,
    JobEnded,
    JobPrinted,
    JobProgressed,
    JobStarted,
    JobSubject,
    LeaseChanged,
    LoopBlocked,
    LoopFreed,
    MessageSent,
    NextDue,
    Note,
    ReplicaEnded,
    ReplicaStarted,
    RunCancelled,
    RunEnded,
    RunLate,
    RunLong,
    RunRecovered,
    RunStarted,
    RunSubject,
    SchedulesRetired,
    SubscriberFailed,
    TimesSkipped,
    WriteRefused,
)
from .logs import LOGGER, log
from .sentences import sentence

_MOST_NAMES = 10


def log_fact(fact: Fact) -> None:
    """Write a fact as one log line. Of a run that goes well its end alone is at level info: its start, its jobs and
    their output are at level debug. Progress is not logged.
    """
    match fact:
        case RunStarted(run):
            _log(logging.DEBUG, "run started", **_run(run))
        case RunEnded(run, outcome, reason, seconds):
            took = None if seconds is None else format_duration(seconds)
            _log(_level(outcome), f"run {outcome}", **_run(run), **_given(took=took, reason=reason))
        case RunCancelled(run, by, why):
            _log(logging.INFO, "run is cancelled: stopping its job", **_run(run), by=by, **_given(why=why))
        case TimesSkipped(_, schedule, reason, count):
            _log(logging.DEBUG, "scheduled times skipped", schedule=schedule, reason=reason, count=count)
        case RunLate(_, schedule, run_id):
            _log(logging.WARNING, sentence(fact), schedule=schedule, run=run_id)
        case RunLong(_, schedule, run_id, severity):
            _log(logging.WARNING, sentence(fact), schedule=schedule, run=run_id, severity=severity)
        case MessageSent():
            _log_message(fact)
        case WriteRefused(run, who):
            _log(logging.WARNING, "write refused", **_run(run), who=who)
        case JobStarted(job):
            _log(logging.DEBUG, "job started", **_job(job))
        case JobPrinted():
            _log_output(logging.DEBUG, fact)
        case JobProgressed() | NextDue() | SchedulesRetired():
            pass
        case JobEnded(job, outcome, seconds, error):
            shown = last_line(error)
            more = {"took": format_duration(seconds), **({"error": shown} if shown else {})}
            level = logging.DEBUG if outcome == "succeeded" else _level(outcome)
            _log(level, f"job {outcome}", **_job(job), **more)
        case RunRecovered() | ReplicaStarted() | ReplicaEnded():
            _log(logging.INFO, sentence(fact))
        case LoopBlocked(job) | LoopFreed(job):
            level = logging.WARNING if isinstance(fact, LoopBlocked) else logging.INFO
            _log(level, sentence(fact), **(_job(job) if job else {}))
        case LeaseChanged(event):
            log_lease_event(event)
        case DatabaseAway(error):
            _log(logging.WARNING, f"{error}; trying again")
        case DatabaseBack(seconds):
            _log(logging.INFO, f"the database is back after {seconds:.1f}s")
        case SubscriberFailed(subscriber, problem):
            _log(logging.ERROR, "a subscriber of facts failed", subscriber=subscriber, problem=problem)
        case Note(text, is_warning):
            _log(logging.WARNING if is_warning else logging.INFO, text)
        case _:
            assert_never(fact)


def log_fact_or_output(fact: Fact) -> None:
    """Write a fact as one log line, and so each line of output."""
    match fact:
        case JobPrinted():
            _log_output(logging.INFO, fact)
        case _:
            log_fact(fact)


def _log_output(level: int, fact: JobPrinted) -> None:
    if logging.getLogger(LOGGER).isEnabledFor(level):
        for line in fact.lines:
            _log(level, "output", **_job(fact.job), line=line)


def _log_message(fact: MessageSent) -> None:
    run = {} if fact.run_id is None else {"run": fact.run_id}
    about: dict[str, Any] = {"schedule": fact.schedule, **run, "kind": fact.kind, "to": fact.to}
    if fact.outcome == "delivered":
        _log(logging.DEBUG, "message delivered", **about)
    else:
        _log(logging.WARNING, "message not delivered", **about, outcome=fact.outcome, **_given(error=fact.error))


def log_lease_event(event: Event) -> None:
    """Write an event of a lease as one log line."""
    level, text = _lease_line(event)
    given = {field.name: getattr(event, field.name) for field in fields(event)}
    _log(level, text, **{key: value for name in given for key, value in _shown(name, given[name]).items()})


def _lease_line(event: Event) -> tuple[int, str]:
    match event:
        case Granted():
            return logging.DEBUG, "lease granted"
        case Refused():
            return logging.DEBUG, "lease refused"
        case Unanswered():
            return logging.WARNING, "an acquisition that waits could not ask the database"
        case Renewed():
            return logging.DEBUG, "leases renewed"
        case AtRisk(again=again):
            return logging.DEBUG if again else logging.WARNING, "leases at risk"
        case OutOfRisk():
            return logging.INFO, "leases are renewed again"
        case Lost():
            return logging.WARNING, "lease lost"
        case Released():
            return logging.DEBUG, "lease released"
        case ReleaseFailed():
            return logging.WARNING, "a lease could not be released and will go stale"
        case OrphanReleased():
            return logging.INFO, "a grant whose reply was lost was released"
        case Stalled():
            return logging.WARNING, "the heartbeat was delayed"
        case ClockStepped():
            return logging.WARNING, "the database's clock stepped"
        case HeartbeatFailed():
            return logging.ERROR, "the heartbeat hit an error"
        case CallbackFailed():
            return logging.ERROR, "a callback of a lease failed"
        case OnNetwork():
            return (
                logging.WARNING,
                "the database's file is on a network file system, where SQLite's locks cannot be relied on",
            )
        case Dropped():
            return logging.WARNING, "events of leases were dropped because their listener did not keep up"
        case _:
            assert_never(event)


def _shown(name: str, value: Any) -> dict[str, Any]:
    """Return a field of an event as fields of a log line."""
    match value:
        case Grant():
            return {"lease": value.name, "token": value.token}
        case Loss():
            return {"lease": value.grant.name, "token": value.grant.token, "cause": value.cause}
        case LeaseRecord():
            return {"held_by": value.label or value.holder, "token": value.token}
        case tuple():
            return {"leases": len(value), "names": [grant.name for grant in value[:_MOST_NAMES]]}
        case float():
            return {name: round(value, 3)}
        case _:
            return {"lease" if name == "name" else name: value}


def _given(**values: str | None) -> dict[str, Any]:
    """Return those fields of a log line that say something."""
    return {name: value for name, value in values.items() if value}


def _run(run: RunSubject) -> dict[str, Any]:
    return {"schedule": run.schedule, "run": run.run_id, "token": run.token}


def _job(job: JobSubject) -> dict[str, Any]:
    return {
        "schedule": job.run.schedule,
        "job": job.name,
        "run": job.run.run_id,
        "attempt": job.attempt,
        "token": job.run.token,
    }


def _level(outcome: RunOutcome | JobOutcome) -> int:
    match outcome:
        case "failed" | "stopped" | "lost" | "not run" | "no room":
            return logging.WARNING
        case "succeeded" | "pending" | "cancelled":
            return logging.INFO
        case _:
            assert_never(outcome)


def _log(level: int, text: str, **values: Any) -> None:
    log(level, text, **values)
