"""`leased status`: replicas, schedules, runs and problems on one screen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import Connection

from ....operations.generations import GenerationStanding, beside_each_other, of_generations, read_standings
from ....recovery.deaths import neighbours, proven_dead
from ....service.settings import read_settings
from ....states import RunState
from ....store.views import (
    BackfillLine,
    Called,
    Overview,
    Problem,
    ReplicaLine,
    RetiredSchedule,
    RunningRun,
    ScheduleLine,
    TryingRun,
    WaitingRun,
    keys_named,
    last_lines,
    past_problems,
    problems,
    read_overview,
    read_past,
    require_schedule,
    schedules_tagged,
)
from ...answers import write_json
from ...ask import ask
from ...failures import FAILED, Misused
from ...moments import before_now, moment
from ...named import application_of, zone_of
from ...options import RUN_STATES, Application, Database, Json, Utc, Wide, run_state
from ...screen import for_people, screen
from ...times import Times
from ...watching import watch
from .status_screen import MOST, Look, needed, only, show_status

if TYPE_CHECKING:
    from rich.console import Console


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


Since = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION|TIME",
        help="Also count what failed, was missed or succeeded too late since then, even if a later run succeeded.",
    ),
]
Watch = Annotated[bool, typer.Option("--watch", help="Show it again every 2 seconds, until q or Ctrl-C.")]


def status(
    schedule: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only this schedule.", show_default=False)
    ] = None,
    database: Database = None,
    application: Application = None,
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help=f"Only schedules whose last run is in this state: {', '.join(RUN_STATES)}."),
    ] = None,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Only schedules with this tag.")] = None,
    whole: Annotated[
        bool,
        typer.Option(
            "--all", help=f"List every schedule; by default, if there are more than {MOST}, only those with problems."
        ),
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with status 1 if there is a problem.")] = False,
    since: Since = None,
    wide: Wide = False,
    utc: Utc = False,
    watched: Watch = False,
    as_json: Json = False,
) -> None:
    """Show replicas, schedules, active runs, and what is late, stuck or failing."""
    takeover_after = read_settings({"database_url": database}).takeover_after
    zone = zone_of(database, schedule, application)
    given = None if since is None else moment("--since", since, zone, past=True, quiet=as_json)
    asked = _StatusReader(
        application, schedule, run_state(state), tag, given, takeover_after, as_json, in_full=as_json or utc
    )
    narrowed = bool(tag or state or schedule)

    def show(console: "Console", found: _StatusFound) -> None:
        listed = found.listed if whole or narrowed else needed(found.overview, found.problems)
        look = Look(Times.of(found.overview.database_time, utc=utc), wide or not for_people(), whole, found.printed)
        show_status(console, found.overview, listed, found.generations, found.problems, look, narrowed=narrowed)

    if watched:
        _refuse_beside_watch(check=check, as_json=as_json)
        watch(database, asked.read, show)
        return
    found = ask(database, asked.read)
    if as_json:
        write_json("status", found.answer)
    else:
        show(screen(), found)
    if check and found.problems:
        raise typer.Exit(FAILED)


def _refuse_beside_watch(*, check: bool, as_json: bool) -> None:
    for option in ["--json"] * as_json + ["--check"] * check:
        raise Misused(f"--watch and {option} are both given; leave one of them out")


@dataclass(frozen=True, slots=True)
class _StatusFound:
    """All that a status shows."""

    overview: Overview
    listed: Sequence[ScheduleLine]
    generations: Sequence[GenerationStanding]
    problems: Sequence[Problem]
    since: datetime | None
    printed: Mapping[int, str]
    """The last line of the output of runs that failed; of so many as are listed at most."""

    @property
    def answer(self) -> StatusAnswer:
        """The same as one object."""
        return StatusAnswer(
            database_time=self.overview.database_time,
            ok=not self.problems,
            since=self.since,
            problems=self.problems,
            replicas=self.overview.replicas,
            generations=self.generations,
            running=self.overview.running,
            waiting=self.overview.waiting,
            waiting_count=self.overview.waiting_count,
            trying=self.overview.trying,
            backfills=self.overview.backfills,
            retired=self.overview.retired,
            items=self.listed,
        )


@dataclass(frozen=True, slots=True)
class _StatusReader:
    """The parts to read."""

    application: str | None
    schedule: str | None
    state: RunState | None
    tag: str | None
    since: datetime | timedelta | None
    takeover_after: float
    with_deadlines: bool
    in_full: bool
    """Instants in problems are written in full."""

    def read(self, connection: Connection) -> _StatusFound:
        """Return the status; raises `NotFound`, or `Misused` if `--since` is in the future."""
        application, only_these = self.application, None
        require_schedule(connection, self.schedule, application)
        if self.schedule is not None:
            application = application_of(connection, self.schedule, application)
            only_these = keys_named(connection, self.schedule, application, retired=True)
        names = Called(connection)
        keys = None if self.tag is None else schedules_tagged(connection, application, self.tag)
        tagged = None if keys is None else {(of, names.name(of, key)) for of, key in keys}
        dead = proven_dead(neighbours(connection))
        standings = read_standings(connection, application, dead=dead, takeover_after=self.takeover_after)
        overview = read_overview(connection, application, dead=dead, only=only_these)
        listed = only(overview.schedules, self.state, tagged)
        if self.with_deadlines:
            listed = _with_deadlines(connection, overview, listed)
        since = None if self.since is None else before_now("--since", self.since, overview.database_time)
        happened = [] if since is None else read_past(connection, since, application)
        if only_these is not None:
            called = {(of, names.name(of, key)) for of, key in only_these}
            happened = [one for one in happened if (one.application, one.schedule) in called]
        past = () if since is None else past_problems(overview, happened, since)
        written = Times.of(overview.database_time, utc=self.in_full).by_clock
        found = (*of_generations(standings), *problems(overview, written), *past)
        failed = [one.run_id for one in found if one.kind == "failing" and one.run_id is not None]
        printed = last_lines(connection, failed[:MOST])
        return _StatusFound(overview, listed, beside_each_other(standings), found, since, printed)


def _with_deadlines(connection: Connection, overview: Overview, listed: Sequence[ScheduleLine]) -> list[ScheduleLine]:
    from ....operations.deadlines import with_deadlines  # noqa: PLC0415 - the definitions, and all that they load

    return with_deadlines(connection, overview, listed)
