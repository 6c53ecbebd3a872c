"""`leased replicas`: the replicas, living and past."""

from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy import Connection

from ....answers.lists import ReplicasAnswer
from ....recovery.deaths import neighbours, proven_dead
from ....states import LIVE
from ....store.views import ReplicaLine, database_time, read_replicas, require_application
from ...answers import write_json
from ...ask import ask
from ...options import Application, Database, Json, Utc
from ...screen import add, print_sentences, say, screen, state_cell, table
from ...times import Times
from .releases import releases_live


def replicas(
    past: Annotated[int, typer.Option("--past", min=0, max=10_000, help="Number of stopped replicas to include.")] = 10,
    utc: Utc = False,
    database: Database = None,
    application: Application = None,
    as_json: Json = False,
) -> None:
    """List replicas and when each was last seen."""

    def read(connection: Connection) -> tuple[datetime, list[ReplicaLine]]:
        require_application(connection, application)
        dead = proven_dead(neighbours(connection))
        return database_time(connection), read_replicas(connection, application=application, past=past, dead=dead)

    now, found = ask(database, read)
    if as_json:
        write_json("replicas", ReplicasAnswer(items=found))
        return
    times = Times.of(now, utc=utc)
    columns = ("replica", "application", "state", "generation", "revision", "release", "version", "started", "seen")
    spare = ("version", "started", "revision", "release")
    shown = table(*columns, spare=spare, unless_one=("application",), if_any=("revision",), right=("revision",))
    for one in found:
        runs = (generation(one), one.revision, one.release)
        cells = (state_cell(one.state), *runs, one.version, times(one.started_at), times(one.seen_at))
        add(shown, f"{one.host}:{one.pid}", one.application, *cells)
    console = screen()
    if found:
        console.print(shown)
        print_sentences(console, releases_live(found))
    else:
        say(console, "There are no replicas; `leased run FILE` starts one.")


def generation(replica: ReplicaLine) -> str:
    """Return the generation of its definitions as text; for a live replica, also whether others are active."""
    if replica.generation is None:
        return "-"
    return (
        str(replica.generation) if replica.rules or replica.state not in LIVE else f"{replica.generation}, not current"
    )
