"""`leased status`: replicas, schedules, runs and problems on one screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy import Connection

from ....operations.generations import GenerationStanding, beside_each_other, of_generations, read_standings
from ....recovery.deaths import neighbours, proven_dead
from ....service.settings import read_settings
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
    problems,
    read_overview,
    require_application,
    schedules_tagged,
)
from ...answers import write_json
from ...ask import ask
from ...failures import FAILED
from ...options import RUN_STATES, Application, Database, Json, run_state
from ...screen import screen
from .status_screen import MOST, needed, only, show_status


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """The answer of `leased status --json`."""

    database_time: datetime
    ok: bool
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


def status(
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
    as_json: Json = False,
) -> None:
    """Show replicas, schedules, active runs, and what is late, stuck or failing."""
    takeover_after = read_settings({"database_url": database}).takeover_after
    of_state = run_state(state)

    def read(
        connection: Connection,
    ) -> tuple[Overview, list[ScheduleLine], list[GenerationStanding], Sequence[Problem]]:
        require_application(connection, application)
        names = Called(connection)
        keys = None if tag is None else schedules_tagged(connection, application, tag)
        tagged = None if keys is None else {(of, names.name(of, key)) for of, key in keys}
        dead = proven_dead(neighbours(connection))
        standings = read_standings(connection, application, dead=dead, takeover_after=takeover_after)
        overview = read_overview(connection, application, dead=dead)
        listed = only(overview.schedules, of_state, tagged)
        if as_json:
            listed = _with_deadlines(connection, overview, listed)
        found = (*of_generations(standings), *problems(overview))
        return overview, listed, beside_each_other(standings), found

    overview, wanted, generations, found = ask(database, read)
    if as_json:
        write_json("status", _answer(overview, wanted, generations, found))
    else:
        listed = wanted if whole or tag or state else needed(overview, found)
        show_status(screen(), overview, listed, generations, found, narrowed=bool(tag or state))
    if check and found:
        raise typer.Exit(FAILED)


def _with_deadlines(connection: Connection, overview: Overview, listed: Sequence[ScheduleLine]) -> list[ScheduleLine]:
    from ....operations.deadlines import with_deadlines  # noqa: PLC0415 - the definitions, and all that they load

    return with_deadlines(connection, overview, listed)


def _answer(
    overview: Overview,
    wanted: Sequence[ScheduleLine],
    generations: Sequence[GenerationStanding],
    found: Sequence[Problem],
) -> StatusAnswer:
    return StatusAnswer(
        database_time=overview.database_time,
        ok=not found,
        problems=found,
        replicas=overview.replicas,
        generations=generations,
        running=overview.running,
        waiting=overview.waiting,
        waiting_count=overview.waiting_count,
        trying=overview.trying,
        backfills=overview.backfills,
        retired=overview.retired,
        items=wanted,
    )
