"""`leased replicas`: the replicas, living and past."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy import Connection

from ....answers.questions import ReplicasAnswer
from ....recovery.deaths import neighbours, proven_dead
from ....states import LIVE
from ....store.statements.schedule import database_time
from ....store.views.names import require_application
from ....store.views.replicas import ReplicaLine, read_replicas
from ....text import listed
from ...ask import ask
from ...options import Application, Database, Json, Utc
from ...screen import Sheet, Times, print_sentences, say, screen, state_cell, write_json

_MOST = 5
"""How many replicas of each are named."""


def releases_live(replicas: Iterable[ReplicaLine]) -> list[str]:
    """Return a line about each application whose live replicas run different code, and about each replica that
    leaves its runs to those of a higher revision.
    """
    living = [one for one in replicas if one.state in LIVE]
    by_release: dict[str, dict[str, list[str]]] = {}
    for one in living:
        of_application = by_release.setdefault(one.application, {})
        of_application.setdefault(one.release or "not known", []).append(f"{one.host}:{one.pid}")
    said = [
        f"{len(found)} releases of {application} are live: "
        + "; ".join(f"{release} on {listed(names, _MOST)}" for release, names in sorted(found.items()))
        + "."
        for application, found in by_release.items()
        if len(found) > 1
    ]
    said += [
        f"{one.host}:{one.pid} claims no runs of {one.application}: its revision is {one.revision}"
        f"{'' if one.revision is None or one.held_back_by > one.revision else ', which no longer counts'}, a replica of "
        f"revision {one.held_back_by} is ready, and with require_revision only the highest revision claims runs."
        for one in living
        if one.held_back_by is not None
    ]
    return said


def replicas(
    past: Annotated[int, typer.Option(min=0, max=10_000, help="Number of stopped replicas to include.")] = 10,
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
    shown = Sheet(*columns, spare=spare, if_any=("revision",), right=("revision",))
    for one in found:
        generation = "-" if one.generation is None else str(one.generation)
        if one.generation is not None and one.state in LIVE and not one.rules:
            generation += ", not current"
        cells = (generation, one.revision, one.release, one.version, times(one.started_at), times(one.seen_at))
        shown.add(f"{one.host}:{one.pid}", one.application, state_cell(one.state), *cells)
    console = screen()
    if found:
        console.print(shown)
        print_sentences(console, releases_live(found))
    else:
        say(console, "There are no replicas; `leased run FILE` starts one.")
