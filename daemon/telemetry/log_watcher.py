"""The facts of a replica as log lines."""

import logging
from dataclasses import fields
from typing import Any

import structlog

from lease.durations import format_duration
from lease.events import (
    AtRisk,
    ClockStepped,
    Event,
    Granted,
    HeartbeatFailed,
    Lost,
    OrphanReleased,
    Refused,
    Released,
    ReleaseFailed,
    Renewed,
    Stalled,
)
from lease.model import Grant, LeaseRecord, Loss

from ..text import last_line
from .logs import LOGGER
from .watcher import NoWatcher

_BAD = frozenset({"failed", "abandoned", "cancelled", "stopped"})


_LEASES: dict[type, tuple[int, str]] = {
    Granted: (logging.DEBUG, "lease granted"),
    Refused: (logging.DEBUG, "lease refused"),
    Renewed: (logging.DEBUG, "leases renewed"),
    AtRisk: (logging.WARNING, "leases at risk"),
    Lost: (logging.WARNING, "lease lost"),
    Released: (logging.DEBUG, "lease released"),
    ReleaseFailed: (logging.WARNING, "a lease could not be released; it goes stale by itself"),
    OrphanReleased: (logging.INFO, "a grant whose reply was lost is released"),
    Stalled: (logging.WARNING, "the heartbeat was kept from running"),
    ClockStepped: (logging.WARNING, "the clock of the database stepped"),
    HeartbeatFailed: (logging.ERROR, "the heartbeat met an error, and goes on"),
}
_MOST_NAMES = 10


def log_lease_event(event: Event) -> None:
    """Write a fact about a lease as a log line; a subscriber for `LeaseClient(on_event=…)`."""
    level, text = _LEASES.get(type(event), (logging.INFO, type(event).__name__))
    given = {field.name: getattr(event, field.name) for field in fields(event)}
    _log().log(level, text, **{key: value for name in given for key, value in _shown(name, given[name]).items()})


def log_refused_write(schedule: str, run_id: int, token: int, who: str) -> None:
    """Write as a log line that a write changed no row, because its grant had ended (rule 10)."""
    _log().warning("write refused", schedule=schedule, run=run_id, token=token, who=who)


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


class LogWatcher(NoWatcher):
    """Watches a replica and writes log lines; what jobs print is for `debug`."""

    def run_started(self, schedule: str, run_id: int, token: int) -> None:
        _log().info("run started", schedule=schedule, run=run_id, token=token)

    def job_started(self, schedule: str, job: str, run_id: int, token: int) -> None:
        _log().info("job started", schedule=schedule, job=job, run=run_id, token=token)

    def job_output(self, schedule: str, job: str, line: str) -> None:
        _log().debug("output", schedule=schedule, job=job, line=line)

    def job_ended(self, schedule: str, job: str, state: str, seconds: float, error: str | None) -> None:
        told = {"schedule": schedule, "job": job, "took": format_duration(seconds)}
        if said := last_line(error):
            told["error"] = said
        _log().log(_level(state), f"job {state}", **told)

    def run_ended(self, schedule: str, run_id: int, state: str, reason: str | None, token: int) -> None:
        told = {"schedule": schedule, "run": run_id, "token": token, **({"reason": reason} if reason else {})}
        _log().log(_level(state), f"run {state}", **told)

    def write_refused(self, schedule: str, run_id: int, token: int, who: str) -> None:
        log_refused_write(schedule, run_id, token, who)

    def lease_event(self, event: Event) -> None:
        log_lease_event(event)

    def note(self, text: str) -> None:
        _log().info(text)


def _log() -> Any:
    return structlog.stdlib.get_logger(LOGGER)


def _level(state: str) -> int:
    return logging.WARNING if state in _BAD else logging.INFO
