"""`leased activity`: who did what, when and why."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Annotated, get_args

import typer
from sqlalchemy import Connection

from ....answers.questions import ActivityAnswer
from ....states import Act
from ....store.statements.schedule import database_time
from ....store.views.acting import ActLine, read_activity
from ....store.views.names import require_schedule
from ....text import number
from ...ask import ask, zone_of
from ...options import Application, Database, Json, Limit, Utc, moment, one_of
from ...screen import Sheet, Times, say, screen, write_json

_ACTS: tuple[Act, ...] = get_args(Act)


def activity(
    schedule: Annotated[str | None, typer.Option(metavar="NAME", help="Only acts on this schedule.")] = None,
    by: Annotated[
        str | None, typer.Option(metavar="WHO", help="Only what this user did: ann@web-1, or ann on any host.")
    ] = None,
    act: Annotated[str | None, typer.Option(metavar="ACT", help=f"Only this kind: {', '.join(_ACTS)}.")] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="DURATION|TIME", help="Only what was done since then, or within this duration."),
    ] = None,
    limit: Limit = 20,
    utc: Utc = False,
    database: Database = None,
    application: Application = None,
    as_json: Json = False,
) -> None:
    """List who did what, when and why, latest first."""
    what, zone = one_of(_ACTS, "act", act), zone_of(database, schedule, application)
    start = None if since is None else moment("--since", since, zone, past=True, quiet=as_json)

    def read(connection: Connection) -> tuple[datetime, list[ActLine]]:
        require_schedule(connection, schedule, application)
        found = read_activity(
            connection, limit=limit, application=application, schedule=schedule, by=by, what=what, since=start
        )
        return database_time(connection), found

    now, found = ask(database, read)
    if as_json:
        write_json("activity", ActivityAnswer(found))
        return
    console = screen()
    if found:
        console.print(_table(found, Times.of(now, utc=utc)))
    elif any(each is not None for each in (schedule, by, act, since, application)):
        say(console, "Nothing matches; `leased activity` without options lists everything.")
    else:
        acts = "`leased trigger`, `cancel`, `pause`, `resume` and the like"
        say(console, f"Nobody has done anything yet; {acts} are listed here.")


def _table(found: Sequence[ActLine], times: Times) -> Sheet:
    """Return a row for each act; one act on many schedules is one row."""
    shown = Sheet(
        *("when", "who", "act", "application", "schedule", "run", "why", "effect"),
        right=("run",),
        wraps=("why", "effect"),
        spare=("effect",),
        if_any=("run", "why", "effect"),
    )
    for _, alike in groupby(
        found, key=lambda one: (one.acted_at, one.acted_by, one.act, one.application, one.why, one.run_id)
    ):
        one, *more = alike
        schedules = f"{more[-1].schedule} and {number(len(more))} more" if more else one.schedule or ""
        until = f"until {times.by_clock(one.until)}" if one.until else None
        effect = "; ".join(filter(None, (until, None if more else one.effect)))
        shown.add(times(one.acted_at), one.acted_by, one.act, one.application, schedules, one.run_id, one.why, effect)
    return shown
