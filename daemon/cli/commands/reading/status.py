"""`leased status`: replicas, schedules, runs and problems on one screen."""

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ....answers.status import StatusFound, StatusReader
from ....service.settings import read_settings
from ...answers import write_json
from ...ask import ask
from ...failures import FAILED, Misused
from ...moments import before_now, moment
from ...named import zone_of
from ...options import RUN_STATES, Application, Database, Json, Utc, Wide, run_state
from ...screen import for_people, screen
from ...times import Times
from ...watching import watch
from .status_screen import MOST, Look, needed, show_status

if TYPE_CHECKING:
    from rich.console import Console


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
    written = partial(_by_clock, in_full=as_json or utc)
    start = None if given is None else partial(before_now, "--since", given)
    asked = StatusReader(application, schedule, run_state(state), tag, start, takeover_after, as_json, written)
    narrowed = bool(tag or state or schedule)

    def show(console: "Console", found: StatusFound) -> None:
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


def _by_clock(now: datetime, moment: datetime, *, in_full: bool) -> str:
    return Times.of(now, utc=in_full).by_clock(moment)


def _refuse_beside_watch(*, check: bool, as_json: bool) -> None:
    for option in ["--json"] * as_json + ["--check"] * check:
        raise Misused(f"--watch and {option} are both given; leave one of them out")
