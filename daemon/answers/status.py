"""The answer about all that there is: replicas, schedules, runs and problems."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from ..operations.generations import GenerationStanding, beside_each_other, of_generations, read_standings
from ..recovery.deaths import neighbours, proven_dead
from ..states import RunState
from ..store.called import ScheduleKey
from ..store.views.acting import BackfillLine
from ..store.views.defined import RetiredSchedule
from ..store.views.names import Called, application_of, keys_named, require_schedule, schedules_tagged
from ..store.views.output import last_lines
from ..store.views.overview import Overview, RunningRun, ScheduleLine, WaitingRun, read_overview
from ..store.views.problems import Problem, past_problems, problems
from ..store.views.replicas import ReplicaLine, read_last_alive
from ..store.views.setbacks import TryingRun, read_past
from ..store.views.targets import read_undelivered
from ..text import when
from . import filled

MOST_PRINTED = 50
"""So many failed runs are shown with the last line that they printed, at most."""


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """The answer of `leased status --json`."""

    database_time: datetime
    ok: bool
    since: datetime | None
    """The moment of `--since`: all that went wrong after it is a problem."""
    problems: Sequence[Problem]
    replicas: Sequence[ReplicaLine]
    generations: Sequence[GenerationStanding]
    running: Sequence[RunningRun]
    waiting: Sequence[WaitingRun]
    waiting_count: int
    trying: Sequence[TryingRun]
    backfills: Sequence[BackfillLine]
    retired: Sequence[RetiredSchedule]
    """In the last 24 hours."""
    items: Sequence[ScheduleLine]


@dataclass(frozen=True, slots=True)
class StatusFound:
    """All that a status shows."""

    overview: Overview
    listed: Sequence[ScheduleLine]
    generations: Sequence[GenerationStanding]
    problems: Sequence[Problem]
    since: datetime | None
    printed: Mapping[int, str]
    """The last line of the output of runs that failed; of so many as are listed at most."""
    last_alive: datetime | None = None
    """When a replica was last alive, if none is; None if there has been none."""

    @property
    def living(self) -> Sequence[ReplicaLine]:
        return [one for one in self.overview.replicas if one.is_alive]

    @property
    def answer(self) -> StatusAnswer:
        """The same as one object."""
        return filled(StatusAnswer, self, self.overview, ok=not self.problems, items=self.listed)


@dataclass(frozen=True, slots=True)
class StatusReader:
    """The parts to read."""

    application: str | None
    schedule: str | None
    state: RunState | None
    tag: str | None
    since: Callable[[datetime], datetime] | None
    """Returns the moment, given now."""
    takeover_after: float
    with_deadlines: bool
    written: Callable[[datetime, datetime], str] = lambda _now, moment: when(moment)
    """How instants in problems are written, given now."""
    after: ScheduleKey | None = None
    """List only the schedules that come after this one, by application and name …"""
    limit: int | None = None
    """… and so many of them at most. The rest of the answer is about all."""

    def read(self, connection: Connection) -> StatusFound:
        """Return the status; raises `NotFound`."""
        application, only_these = self.application, None
        require_schedule(connection, self.schedule, application)
        if self.schedule is not None:
            application = application_of(connection, self.schedule, application)
            only_these = keys_named(connection, self.schedule, application, retired=True)
        names = Called(connection)
        tagged = None
        if self.tag is not None:
            tagged = {(of, names.name(of, key)) for of, key in schedules_tagged(connection, application, self.tag)}
        dead = proven_dead(neighbours(connection))
        standings = read_standings(connection, application, dead=dead, takeover_after=self.takeover_after)
        overview = read_overview(connection, application, dead=dead, only=only_these)
        listed = [
            line
            for line in overview.schedules
            if self.state in (None, line.last_state)
            and (tagged is None or (line.application, line.schedule) in tagged)
            and (self.after is None or (line.application, line.schedule) > self.after)
        ][: self.limit]
        if self.with_deadlines:
            from ..operations.deadlines import with_deadlines  # noqa: PLC0415 - the definitions, and all that they load

            listed = with_deadlines(connection, overview, listed)
        since = None if self.since is None else self.since(overview.database_time)
        happened = [] if since is None else read_past(connection, since, application)
        if only_these is not None:
            called = {(of, names.name(of, key)) for of, key in only_these}
            happened = [one for one in happened if (one.application, one.schedule) in called]
        past = () if since is None else past_problems(overview, happened, since)
        written = partial(self.written, overview.database_time)
        undelivered = read_undelivered(connection, application) if only_these is None else ()
        found = (*of_generations(standings), *problems(overview, written), *past, *undelivered)
        failed = [one.run_id for one in found if one.kind == "failing" and one.run_id is not None]
        printed = last_lines(connection, failed[:MOST_PRINTED])
        last_alive = None if any(one.is_alive for one in overview.replicas) else read_last_alive(connection)
        return StatusFound(overview, listed, beside_each_other(standings), found, since, printed, last_alive)
