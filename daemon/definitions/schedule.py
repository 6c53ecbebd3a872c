"""A schedule: its jobs, when they run and by which policies; its stored form; and its due instants."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby, islice
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, Strict, ValidationError, model_validator

from ..errors import DaemonError, Place
from ..states import Priority
from .definition import Definition, Mark, firsts, sha256_of, translated
from .triggers.cron import forwards
from .triggers.trigger import At, Cron, CronText, Every, FinishBy, Instant, OnRequest, Trigger, Zone, refuse_meaningless
from .triggers.wall_time import Tally, deadline
from .values.calendars import Exclude, Part, covering, parts
from .values.durations import Keep, Long, duration
from .values.queues import Lock, RunQueue, queue_of
from .values.refusal import Refusal
from .values.strings import Folder, FormerNames, Strings, Table, Text, name_of
from .values.targets import Notify, Ping, Target, targets_of
from .values.work import ChosenIsolation, Command, Environment, Function, default_isolation, function_name

# Its jobs

LONGEST_WAIT = 3600.0
"""Seconds. Up to here the wait before a retry doubles, or up to the first one, if that is longer."""


class Job(Definition):
    """One step of a schedule: a function or a command. Durations are in seconds."""

    kind = "job"
    always_stored = frozenset(["isolation", "timeout", "retries", "backoff", "cwd", "env"])

    name: Annotated[str, name_of("job"), Mark.PART]
    function: Annotated[Function | None, Mark.PART] = None
    command: Annotated[Command | None, Mark.PART] = None

    isolation: ChosenIsolation = Field(default_factory=default_isolation)
    """`task`: inside the replica; `process`: in a child process; `thread`: inside the replica, for
    a function that is not async: it can't be killed. By default async functions are tasks, and
    everything else runs in a process."""
    timeout: Annotated[float | None, duration(least=0.001), Mark.DEFAULT] = None
    """When this time has passed, the job is stopped and has failed. `leased check` names the jobs
    without a timeout."""
    retries: Annotated[int, Strict(), Field(ge=0, le=1_000_000), Mark.DEFAULT] = 0
    """How many more attempts a failed job gets; abandoned, stopped or lost attempts do not count."""
    backoff: Annotated[float, duration(), Mark.DEFAULT] = 10.0
    """The wait before the first retry. It doubles with each further retry, up to an hour (or up to
    the first wait, if that is longer), plus up to a fifth at random. The run holds no lease while
    it waits."""
    cwd: Annotated[Folder, Mark.DEFAULT] = None
    """The folder of the child process, by default the folder of FILE."""
    env: Annotated[Environment, Mark.DEFAULT] = {}  # noqa: RUF012 - pydantic copies it
    """Variables for the child process, in addition to the replica's own."""

    @model_validator(mode="after")
    def _settings_fit_the_work(self) -> Self:
        if (self.function is None) == (self.command is None):
            raise Refusal("it must have either a function or a command", "give one of them")
        if self.isolation in {"task", "thread"} and (self.env or self.cwd):
            problem = f"a {self.isolation} runs inside the replica and has no folder or environment of its own"
            remedy, field = 'set isolation = "process", or leave this out', "env" if self.env else "cwd"
            raise Refusal(problem, remedy, field=field)
        return self

    @property
    def longest_wait(self) -> float:
        return max(LONGEST_WAIT, self.backoff)

    def executed(self) -> dict[str, Any]:
        """Return what execution reads of it, without the folder, which may differ from host to host."""
        return {name: value for name, value in self.canonical().items() if name != "cwd"}

    def canonical(self) -> dict[str, Any]:
        """Return what is stored of it: functions by name, and of `env` the names only, for values may be secret."""
        return {
            "name": self.name,
            "isolation": self.isolation,
            "function": function_name(self.function) if self.function else None,
            "command": list(self.command) if isinstance(self.command, tuple) else self.command,
            **self.stored(),
        }


# When they run, and by which policies

CatchUp = Literal["skip", "latest", "all"]
Overlap = Literal["skip", "queue", "replace", "allow"]
OnFailure = Literal["stop", "continue"]

TRIGGERS = ("cron", "every", "at", "on_request")
SHORTEST_INTERVAL = 0.1
"""Seconds."""
_TICK = timedelta(microseconds=1)


class Schedule(Definition):
    """When its jobs run, in this order, and by which policies. Durations are in seconds."""

    kind = "schedule"
    always_stored = frozenset(
        [
            *("timezone", "starts", "ends", "enabled", "catch_up", "start_within", "overlap", "lock", "on_failure"),
            *("jitter", "params", "description", "tags"),
        ]
    )

    name: Annotated[str, name_of("schedule"), Mark.PART]

    cron: Annotated[CronText | None, Mark.TIMING] = None
    """Due when the clock of its time zone says so: 5 fields, or 6 with seconds first, or
    `@daily` and the like."""
    every: Annotated[float | None, duration(least=SHORTEST_INTERVAL), Mark.TIMING] = None
    """Due at an interval of elapsed time, counted from `starts`, otherwise from when the schedule
    was first seen or changed."""
    at: Annotated[Instant | None, Mark.TIMING] = None
    """Due once."""
    on_request: Annotated[bool, Strict(), Mark.TIMING] = False
    """`true`: runs only when you request a run. Set exactly one of `cron`, `every`, `at` and
    `on_request`."""
    timezone: Annotated[Zone, Mark.TIMING, Mark.DEFAULT] = "UTC"
    """The time zone of `cron`."""
    starts: Annotated[Instant | None, Mark.TIMING] = None
    """The schedule is not due before this time."""
    ends: Annotated[Instant | None, Mark.TIMING] = None
    """The schedule is not due after this time."""
    enabled: Annotated[bool, Strict(), Mark.TIMING] = True
    """`false`: the schedule is never due."""
    catch_up: Annotated[CatchUp, Mark.DEFAULT] = "latest"
    """Which missed scheduled times run once a replica is back; with `all`, the newest 1,000."""
    start_within: Annotated[float | None, duration(), Mark.DEFAULT] = None
    """A run that has not started within this time is recorded as missed."""
    overlap: Annotated[Overlap, Mark.EXECUTION, Mark.DEFAULT] = "skip"
    """Decides what happens at a scheduled time while an earlier run is active: `skip` records it as
    skipped, `queue` runs it after that run, `replace` cancels that run and starts when its work has
    stopped, `allow` runs both at once."""
    lock: Annotated[Lock | None, Mark.EXECUTION] = None
    """Shared by schedules that must not run at the same time; with `{ name = "api", slots = 3 }` at
    most 3 of their runs run at once. By default each schedule has its own."""
    priority: Annotated[Priority, Mark.EXECUTION, Mark.DEFAULT] = "normal"
    """Which runs start first if not all can. The run that has waited longest starts first; `high`
    counts as an hour of waiting more, `low` as an hour less."""
    on_failure: Annotated[OnFailure, Mark.EXECUTION, Mark.DEFAULT] = "stop"
    """Decides what happens when a job has no retries left: `stop` ends the run, and the other jobs
    are "not started"; `continue` runs the other jobs, and the run ends as failed."""
    run_timeout: Annotated[float | None, duration(least=0.001), Mark.EXECUTION, Mark.DEFAULT] = None
    """Timeout of the whole run, in addition to those of its jobs: from its first start, including
    all attempts and the waits between them. The running job is then stopped, and the run has
    failed."""
    stall_after: Annotated[float | None, duration(least=0.001), Mark.EXECUTION, Mark.DEFAULT] = None
    """A job that shows no progress for this long is stopped as hung, and the attempt has failed. A
    function shows progress with `run.progress`, a command with each line of output."""
    exclude: Annotated[Exclude, Mark.DEFAULT] = ()
    """Days, in its time zone, on which it does not run; these times are recorded as skipped. Dates
    (`2026-12-25`), ranges (`2026-12-24..2027-01-01`), days of every year (`12-25`), or names of
    `[calendars.NAME]`."""
    finish_by: Annotated[FinishBy | None, Mark.DEFAULT] = None
    """When you expect success: this long after the scheduled time, or at the first such time of day
    (`06:00`, in its time zone) after it. A run that has not succeeded by then continues, and is
    reported as late."""
    long: Annotated[Long | None, Mark.DEFAULT] = None
    """From when on a running run is reported as long: a duration, or
    `{ warn = "10m", critical = "30m", emergency = "50m" }`, or some of the three. By default these
    three, and once 10 runs have succeeded, not before 1.5 times their p95. `false`: never."""
    keep: Annotated[Keep | None, Mark.DEFAULT] = None
    """How much history to keep: `{ days = 30, runs = 1000 }` deletes a run that ended more than 30
    days ago *and* is not among the newest 1,000 runs. You can give only one of the two. By default
    everything is kept."""
    jitter: Annotated[float, duration(), Mark.DEFAULT] = 0.0
    """Delays each run by up to this long; the delay is the same on every replica."""
    notify: Annotated[Notify, Mark.DEFAULT] = ()
    """Where to send a message when something goes wrong: `{ url = "https://…" }`, `{ command = "mail …" }`, or a list of
    them. More in [messages](messages.md)."""
    ping: Annotated[Ping | None, Mark.DEFAULT] = None
    """URL of a monitor to ping when a run starts, succeeds or fails, or a table with `url` or `url_env`, and `style`."""
    params: Table = {}  # noqa: RUF012 - pydantic copies it
    """Parameters, which a job finds in `run.params`."""
    secrets: Strings = ()
    """Names of the params whose values are shown as `***`. Jobs get them unchanged, and the
    database stores them unchanged."""
    description: Text = ""
    """For people."""
    tags: Strings = ()
    """For people."""
    was: Annotated[FormerNames, Mark.NAMING] = ()
    """Its former name, or a list of them, newest first: it takes over their history, pause, lock
    and idempotency keys. You can leave it here for good."""

    jobs: Annotated[tuple[Job, ...], Mark.PART] = ()

    @model_validator(mode="after")
    def _settings_fit_together(self) -> Self:
        given = [trigger for trigger in TRIGGERS if getattr(self, trigger)]
        if len(given) != 1:
            problem = f"it has {' and '.join(given)}" if given else "it does not say when it is due"
            raise Refusal(problem, "set one of cron, every, at and on_request")
        if self.on_request:
            refuse_meaningless(self)
        if self.starts is not None and self.ends is not None and self.ends <= self.starts:
            when = "at the moment" if self.ends == self.starts else "before"
            raise Refusal(f"it ends {when} it starts", "set a later time", field="ends")
        if self.start_within is not None and self.jitter >= self.start_within:
            if self.jitter == 0:
                raise Refusal("no run can start within 0 seconds", "set a longer duration", field="start_within")
            problem = "a run could come later than start_within allows"
            raise Refusal(problem, "set it below start_within", field="jitter")
        if self.lock is not None and self.lock.slots == 1 and self.overlap == "allow":
            problem = 'under one lock its runs cannot overlap, as overlap = "allow" asks'
            raise Refusal(problem, "leave one of them out, or give the lock several slots", field="lock")
        if self.name in self.was:
            remedy = "list only its former names"
            raise Refusal(f'"{self.name}" is its own name', remedy, field="was")
        for name in self.secrets:
            if name not in self.params:
                remedy = "give it a value there, or leave it out here"
                raise Refusal(f'"{name}" is not among the params', remedy, field="secrets")
        return self

    @property
    def trigger(self) -> Trigger:
        if self.cron is not None:
            return Cron(self.cron)
        if self.every is not None:
            return Every(self.every)
        return OnRequest() if self.at is None else At(self.at)

    def keyed(self, key: str) -> "Schedule":
        """Return it under the name of the row that it stands in."""
        return self if key == self.name else self.model_copy(update={"name": key})

    @property
    def queue(self) -> RunQueue | None:
        """The queue in which its runs wait; None: that of all others."""
        return queue_of(self.lock, self.priority)

    @property
    def targets(self) -> tuple[Target, ...]:
        """Where messages about it and pings go."""
        return targets_of(self.notify, self.ping) if self.notify or self.ping else ()

    def instants(self, after: datetime, anchor: datetime, until: datetime | None = None) -> Iterator[datetime]:
        """Yield the due instants after ``after``, and up to ``until`` if that is given, in UTC, in order.

        ``anchor`` is where an interval counts from, to the second; with `starts` it counts from
        there. `starts` and `ends` are themselves within the bounds. A disabled schedule has no
        instants (rule 13).
        """
        if not self.enabled:
            return
        after, anchor = self._bounded(after, anchor)
        last = min([bound for bound in (self.ends, until) if bound is not None], default=None)
        for instant in self.trigger.instants(after, zone=ZoneInfo(self.timezone), anchor=anchor):
            if last is not None and instant > last:
                return
            yield instant

    def older(self, after: datetime, until: datetime, least: int, anchor: datetime) -> Tally | None:
        """Count the due instants after ``after`` up to ``until`` but for the newest, of which at least
        ``least`` are left out; None if there are not so many. It takes milliseconds for a year.
        """
        if not self.enabled:
            return None
        after, anchor = self._bounded(after, anchor)
        until = until if self.ends is None else min(until, self.ends)
        return self.trigger.older(after, until, least, zone=ZoneInfo(self.timezone), anchor=anchor)

    def excluded_by(self, instant: datetime) -> str | None:
        """Return which day or calendar of `exclude` keeps an instant from running; None: it runs."""
        return covering(self.exclude, instant.astimezone(ZoneInfo(self.timezone)).date()) if self.exclude else None

    def parts(self, after: datetime, until: datetime) -> Iterator[Part]:
        """Yield the parts of a piece of time in which all instants are excluded, or none is."""
        return parts(self.exclude, after, until, ZoneInfo(self.timezone))

    def finishes_by(self, instant: datetime, *, on_request: bool = False) -> datetime | None:
        """Return by when, in UTC, the run of an instant should have succeeded, if `finish_by` says so.

        ``on_request``: the instant is that of a request, for which only a duration says so.
        """
        if self.finish_by is None or (on_request and isinstance(self.finish_by, str)):
            return None
        return deadline(self.finish_by, instant, ZoneInfo(self.timezone))

    def _bounded(self, after: datetime, anchor: datetime) -> tuple[datetime, datetime]:
        """Return after which instant it may be due, and from where an interval counts."""
        if self.starts is None:
            return after, anchor.replace(microsecond=0)
        return max(after, self.starts - _TICK), self.starts

    def timing(self) -> dict[str, Any]:
        """Return what decides its instants, the same for each spelling: planning counts from its change (rule 13)."""
        bounds = self.settings(Mark.TIMING).keys() - {*TRIGGERS, "timezone"}
        return {
            "trigger": self.trigger.meaning(ZoneInfo(self.timezone)),
            **{name: getattr(self, name) for name in bounds},
        }

    def run_digest(self) -> str:
        """Return a SHA-256 of what execution reads of it: its jobs and some policies, but neither its
        timing nor what differs from host to host, folders and the values of `env` (rule 22).
        """
        settings = self.settings(Mark.EXECUTION)
        own = {name: value for name, value in self.stored().items() if name in settings}
        return sha256_of([self.name, own, [job.executed() for job in self.jobs]])

    def canonical(self) -> dict[str, Any]:
        """Return the definition as it is stored, fit for JSON."""
        return {"name": self.name, **self.stored(), "jobs": [job.canonical() for job in self.jobs]}

    @cached_property
    def digest(self) -> str:
        """A SHA-256 that changes whenever anything of the definition does, values of `env` included."""
        return sha256_of([self.canonical(), [sorted(job.env.items()) for job in self.jobs]])


# Its stored form: what sync writes, and what planning reads back of it

_WITH_EXCLUDE = "with exclude"


class UnreadableDefinition(DaemonError):
    """A stored definition that this version of the package does not understand."""


def write_schedule(schedule: Schedule) -> str:
    """Return what is stored of a schedule; `Schedule.digest` says whether it has changed.

    One with `exclude` cannot be read by a version that does not know that, and would run what is due on those
    days: beside this version it plans none of it.
    """
    stored = schedule.canonical()
    if schedule.exclude:
        stored["catch_up"] = {_WITH_EXCLUDE: stored["catch_up"]}
    return json.dumps(stored, ensure_ascii=False)


def read_schedule(definition: str) -> Schedule:
    """Return what `write_schedule` wrote, without its jobs; raises `UnreadableDefinition`.

    A setting that is not in it has its default; a setting that only a later version knows is left out.
    """
    known: dict[str, object] = {}
    try:
        known = _known(definition)
        return Schedule.model_validate(known)
    except ValidationError as error:
        raise _unreadable(translated(firsts(error)[0], known, Place())) from None
    except (TypeError, ValueError) as error:
        raise _unreadable(error) from error


def read_job_names(definition: str) -> tuple[str, ...]:
    """Return the names of the jobs of what `write_schedule` wrote, in order; raises `UnreadableDefinition`."""
    try:
        return tuple(job["name"] for job in json.loads(definition)["jobs"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(error) from error


def read_timing(definition: str) -> dict[str, Any] | None:
    """Return the `Schedule.timing` of what was stored; None if that cannot be read.

    Nothing but the timing need be readable.
    """
    try:
        return Schedule.model_validate(_known(definition, Mark.TIMING)).timing()
    except (TypeError, ValueError):  # as of pydantic
        return None


def is_timed_alike(definition: str, schedule: Schedule) -> bool:
    """Return whether what was stored is due as the schedule is: if it is written alike, at once; else by its meaning."""
    with suppress(AttributeError, ValueError):
        stored, own = json.loads(definition), schedule.stored()
        if all(stored.get(name) == own.get(name) for name in Schedule.settings(Mark.TIMING)):
            return True
    return read_timing(definition) == schedule.timing()


def _known(definition: str, mark: Mark | None = None) -> dict[str, object]:
    """Return what is stored of the settings that this version knows, of those with ``mark`` if that is given."""
    stored = json.loads(definition)
    known: dict[str, object] = {name: stored[name] for name in ("name", *Schedule.settings(mark)) if name in stored}
    if isinstance(cron := known.get("cron"), str):
        known["cron"] = forwards(cron)
    if isinstance(catch_up := known.get("catch_up"), Mapping):
        known["catch_up"] = catch_up.get(_WITH_EXCLUDE)
    return known


def _unreadable(error: Exception) -> UnreadableDefinition:
    return UnreadableDefinition(f"the stored definition cannot be read ({error}); sync the file that defines it")


# Its due instants


@dataclass(frozen=True, slots=True)
class DuePiece:
    """Consecutive instants, all on excluded days or none: ``older`` ones that are only counted, then ``instants``."""

    excluded: bool
    older: Tally | None
    instants: list[datetime]


def due_pieces(
    schedule: Schedule, after: datetime, until: datetime, anchor: datetime, *, newest: int, newest_excluded: int
) -> list[DuePiece]:
    """Return what is due after ``after``, up to ``until``. If there is much, only the ``newest`` instants
    on days that are not excluded are enumerated, and of each piece among them that is excluded the
    ``newest_excluded``: to enumerate a year takes too long.
    """
    few = list(islice(schedule.instants(after, anchor, until), newest + 1))
    if len(few) <= newest:
        cut = groupby(few, key=lambda instant: schedule.excluded_by(instant) is not None)
        return [DuePiece(excluded, None, list(instants)) for excluded, instants in cut]
    pieces: list[DuePiece] = []
    for part in reversed(list(schedule.parts(after, until))):
        least = newest if newest == 0 or not part.excluded else newest_excluded
        older = schedule.older(part.after, part.until, least, anchor)
        begin = part.after if older is None else older.last
        instants = list(schedule.instants(begin, anchor, part.until)) if least > 0 else []
        pieces.append(DuePiece(part.excluded, older, instants))
        if not part.excluded:
            newest = max(0, newest - len(instants))
    return pieces[::-1]


@dataclass(frozen=True, slots=True)
class Preview:
    """One instant, in UTC and by the clock of its schedule, with a remark where that changes, and what excludes it."""

    instant: datetime
    local: datetime
    note: str | None = None
    excluded: str | None = None


def preview_schedule(
    schedule: Schedule, after: datetime, count: int, anchor: datetime | None = None
) -> tuple[Preview, ...]:
    """Return the next instants of a schedule, excluded ones too; an interval counts from ``anchor``, or ``after``."""
    zone, trigger, found = ZoneInfo(schedule.timezone), schedule.trigger, []
    for instant in islice(schedule.instants(after, after if anchor is None else anchor), count):
        local, note = instant.astimezone(zone), None
        if isinstance(trigger, Cron) and not trigger.pattern.matches(local):
            note = "skipped by the clock, runs right after the gap"
        elif local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
            note = "repeated hour, second time" if local.fold else "repeated hour, first time"
        found.append(Preview(instant, local, note, covering(schedule.exclude, local.date())))
    return tuple(found)
