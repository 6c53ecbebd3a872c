"""The log of facts: a subscriber that writes each fact as one log line."""

import logging
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, assert_never

from lease import events
from lease.durations import format_duration
from lease.events import Event
from lease.model import Grant, LeaseRecord, Loss

from ..states import JobOutcome, RunOutcome
from ..text import last_line
from . import facts
from .facts import Fact, JobPrinted, JobSubject, MessageSent, RunSubject
from .logs import LOGGER, log
from .sentences import sentence

_MOST_NAMES = 10


def log_fact(fact: Fact) -> None:
    """Write a fact as one log line. Of a run that goes well its end alone is at level info: its start, its jobs and
    their output are at level debug. Progress is not logged.
    """
    match fact:
        case facts.RunStarted(run):
            log(logging.DEBUG, "run started", **_run(run))
        case facts.RunEnded(run, outcome, reason, seconds):
            took = None if seconds is None else format_duration(seconds)
            log(_level(outcome), f"run {outcome}", **_run(run), **_given(took=took, reason=reason))
        case facts.RunCancelled(run, by, why):
            log(logging.INFO, "run is cancelled: stopping its job", **_run(run), by=by, **_given(why=why))
        case facts.TimesSkipped(_, schedule, reason, count):
            log(logging.DEBUG, "scheduled times skipped", schedule=schedule, reason=reason, count=count)
        case facts.RunLate(_, schedule, run_id):
            log(logging.WARNING, sentence(fact), schedule=schedule, run=run_id)
        case facts.RunLong(_, schedule, run_id, severity):
            log(logging.WARNING, sentence(fact), schedule=schedule, run=run_id, severity=severity)
        case MessageSent():
            _log_message(fact)
        case facts.WriteRefused(run, who):
            log(logging.WARNING, "write refused", **_run(run), who=who)
        case facts.JobStarted(job):
            log(logging.DEBUG, "job started", **_job(job))
        case JobPrinted():
            _log_output(logging.DEBUG, fact)
        case facts.JobProgressed() | facts.NextDue() | facts.SchedulesRetired():
            pass
        case facts.JobEnded(job, outcome, seconds, error):
            shown = last_line(error)
            more = {"took": format_duration(seconds), **({"error": shown} if shown else {})}
            level = logging.DEBUG if outcome == "succeeded" else _level(outcome)
            log(level, f"job {outcome}", **_job(job), **more)
        case facts.RunRecovered() | facts.ReplicaStarted() | facts.ReplicaEnded():
            log(logging.INFO, sentence(fact))
        case facts.LoopBlocked(job) | facts.LoopFreed(job):
            level = logging.WARNING if isinstance(fact, facts.LoopBlocked) else logging.INFO
            log(level, sentence(fact), **(_job(job) if job else {}))
        case facts.LeaseChanged(event):
            log_lease_event(event)
        case facts.DatabaseAway(error):
            log(logging.WARNING, f"{error}; trying again")
        case facts.DatabaseBack(seconds):
            log(logging.INFO, f"the database is back after {seconds:.1f}s")
        case facts.SubscriberFailed(subscriber, problem):
            log(logging.ERROR, "a subscriber of facts failed", subscriber=subscriber, problem=problem)
        case facts.Note(text, is_warning):
            log(logging.WARNING if is_warning else logging.INFO, text)
        case _:
            assert_never(fact)


def is_logged(fact: Fact) -> bool:
    """Return whether `log_fact_or_output` may write a line about this fact: of most, only at level debug."""
    logger = logging.getLogger(LOGGER)
    if logger.isEnabledFor(logging.DEBUG):
        return True
    match fact:
        case facts.RunStarted() | facts.JobStarted() | facts.JobProgressed() | facts.JobEnded(outcome="succeeded"):
            return False
        case facts.LeaseChanged(event):
            return logger.isEnabledFor(_LEASE_LINES[type(event)][0])
        case _:
            return True


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
            log(level, "output", **_job(fact.job), line=line)


def _log_message(fact: MessageSent) -> None:
    run = {} if fact.run_id is None else {"run": fact.run_id}
    about: dict[str, Any] = {"schedule": fact.schedule, **run, "kind": fact.kind, "to": fact.to}
    if fact.outcome == "delivered":
        log(logging.DEBUG, "message delivered", **about)
    else:
        log(logging.WARNING, "message not delivered", **about, outcome=fact.outcome, **_given(error=fact.error))


_LEASE_LINES: Mapping[type[Event], tuple[int, str]] = {
    events.Granted: (logging.DEBUG, "lease granted"),
    events.Refused: (logging.DEBUG, "lease refused"),
    events.Unanswered: (logging.WARNING, "an acquisition that waits could not ask the database"),
    events.Renewed: (logging.DEBUG, "leases renewed"),
    events.AtRisk: (logging.WARNING, "leases at risk"),
    events.OutOfRisk: (logging.INFO, "leases are renewed again"),
    events.Lost: (logging.WARNING, "lease lost"),
    events.Released: (logging.DEBUG, "lease released"),
    events.ReleaseFailed: (logging.WARNING, "a lease could not be released and will go stale"),
    events.OrphanReleased: (logging.INFO, "a grant whose reply was lost was released"),
    events.Stalled: (logging.WARNING, "the heartbeat was delayed"),
    events.ClockStepped: (logging.WARNING, "the database's clock stepped"),
    events.HeartbeatFailed: (logging.ERROR, "the heartbeat hit an error"),
    events.CallbackFailed: (logging.ERROR, "a callback of a lease failed"),
    events.OnNetwork: (
        logging.WARNING,
        "the database's file is on a network file system, where SQLite's locks cannot be relied on",
    ),
    events.Dropped: (logging.WARNING, "events of leases were dropped because their listener did not keep up"),
}


def log_lease_event(event: Event) -> None:
    level, text = _LEASE_LINES[type(event)]
    if isinstance(event, events.AtRisk) and event.again:
        level = logging.DEBUG
    given = {field.name: getattr(event, field.name) for field in fields(event)}
    log(level, text, **{key: value for name in given for key, value in _shown(name, given[name]).items()})


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
