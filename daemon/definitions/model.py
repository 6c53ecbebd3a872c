"""What is to run, and when: values that never change once they are made, and know nothing of a database."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from ..errors import DefinitionError, Place
from ..instants import format_instant
from ..text import suggestion
from .triggers.trigger import Trigger

CatchUp = Literal["skip", "latest", "all"]
Overlap = Literal["skip", "queue", "allow"]
OnFailure = Literal["stop", "continue"]
Isolation = Literal["task", "process", "command"]

DEFAULT_BACKOFF = 10.0
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Job:
    """One step of a schedule: a function or a command. Durations are in seconds."""

    name: str
    isolation: Isolation
    function: Callable[..., Any] | None = None
    command: str | tuple[str, ...] | None = None
    timeout: float | None = None
    retries: int = 0
    backoff: float = DEFAULT_BACKOFF
    """The first wait before a retry; it doubles."""
    cwd: str | None = None
    """The folder of a child; None for the folder of FILE."""
    env: Mapping[str, str] = field(default_factory=dict)

    def canonical(self) -> dict[str, Any]:
        """Return what is stored of it: functions by name, and of `env` the names only, for values may be secret."""
        return {
            "name": self.name,
            "isolation": self.isolation,
            "function": _reference(self.function) if self.function else None,
            "command": list(self.command) if isinstance(self.command, tuple) else self.command,
            "timeout": self.timeout,
            "retries": self.retries,
            "backoff": self.backoff,
            "cwd": self.cwd,
            "env": sorted(self.env),
        }


@dataclass(frozen=True, slots=True)
class Schedule:
    """When its jobs run, in this order, and by which policies. Durations are in seconds."""

    name: str
    trigger: Trigger
    timezone: str = "UTC"
    starts: datetime | None = None
    ends: datetime | None = None
    catch_up: CatchUp = "latest"
    start_within: float | None = None
    overlap: Overlap = "skip"
    lock: str | None = None
    on_failure: OnFailure = "stop"
    jitter: float = 0.0
    params: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True
    description: str = ""
    tags: tuple[str, ...] = ()
    jobs: tuple[Job, ...] = ()

    def instants(self, after: datetime, anchor: datetime) -> Iterator[datetime]:
        """Yield the due instants after ``after`` in UTC, in order.

        ``anchor`` is where an interval counts from, to the second; with `starts` it counts from there. `starts` and
        `ends` are themselves within the bounds. A disabled schedule has no instants (rule 13).
        """
        if not self.enabled:
            return
        anchor = anchor.replace(microsecond=0)
        if self.starts is not None:
            anchor, after = self.starts, max(after, self.starts - _TICK)
        for instant in self.trigger.instants(after, timezone=ZoneInfo(self.timezone), anchor=anchor):
            if self.ends is not None and instant > self.ends:
                return
            yield instant

    def timing(self) -> dict[str, Any]:
        """Return what decides its instants. Where this changes, planning counts from the change (rule 13)."""
        return {
            self.trigger.kind: self.trigger.text,
            "timezone": self.timezone,
            "starts": format_instant(self.starts) if self.starts else None,
            "ends": format_instant(self.ends) if self.ends else None,
            "enabled": self.enabled,
        }

    def canonical(self) -> dict[str, Any]:
        """Return the definition as it is stored, fit for JSON."""
        return {
            "name": self.name,
            **self.timing(),
            "catch_up": self.catch_up,
            "start_within": self.start_within,
            "overlap": self.overlap,
            "lock": self.lock,
            "on_failure": self.on_failure,
            "jitter": self.jitter,
            "params": dict(self.params),
            "description": self.description,
            "tags": list(self.tags),
            "jobs": [job.canonical() for job in self.jobs],
        }

    def digest(self) -> str:
        """Return a SHA-256 that changes whenever anything of the definition does, values of `env` included."""
        whole = [self.canonical(), [sorted(job.env.items()) for job in self.jobs]]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Application:
    """All that one FILE defines."""

    name: str
    source: Path
    """The file; its folder is where children run unless a job says otherwise."""
    schedules: tuple[Schedule, ...]
    spec: str = ""
    """FILE in a form that `loading.load` takes in any working directory, as a child needs it."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """`[settings]` of a TOML file, as they were read."""

    def schedule(self, name: str) -> Schedule:
        """Return one schedule; raises `DefinitionError` when there is none of this name."""
        for schedule in self.schedules:
            if schedule.name == name:
                return schedule
        place = Place(source=self.spec or str(self.source))
        names = [schedule.name for schedule in self.schedules]
        raise DefinitionError(place, f'there is no schedule "{name}"', suggestion(name, names))

    def job(self, schedule: str, job: str) -> Job:
        """Return one job of one schedule; raises `DefinitionError` when there is none of this name."""
        jobs = self.schedule(schedule).jobs
        for one in jobs:
            if one.name == job:
                return one
        place = Place(source=self.spec or str(self.source), schedule=schedule)
        raise DefinitionError(place, f'there is no job "{job}"', suggestion(job, [one.name for one in jobs]))


def _reference(function: Callable[..., Any]) -> str:
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"
