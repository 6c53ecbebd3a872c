"""`leased locks` and `leased replicas`."""

from typing import Annotated

import typer

from ..reading import read_locks, read_replicas
from ..texts import ago, lasted, when
from .asking import ask
from .options import Application, Database, Json
from .screen import add, screen, table, write_json


def locks(
    prefix: Annotated[str, typer.Argument(help="Only names that begin so.", show_default=False)] = "",
    free: Annotated[bool, typer.Option("--all", help="Those that nobody holds too.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Who holds what, under which token, last renewed when."""
    found = ask(database, lambda connection: read_locks(connection, prefix=prefix, free=free))
    if as_json:
        write_json("locks", {"items": found})
        return
    shown = table("name", "token", "holder", "held for", "expires", "run", right=("token", "held for", "run"))
    for lock in found:
        holder = lock.label or lock.holder or "nobody"
        stale = "" if lock.live or lock.holder is None else " (stale)"
        expires = ago(-lock.expires_in) if lock.expires_in is not None else ""
        add(shown, lock.name, lock.token, holder, lasted(lock.held_for), f"{expires}{stale}", lock.run_id)
    screen().print(shown if found else "Nobody holds a lease.")


def replicas(
    past: Annotated[int, typer.Option("--past", min=0, max=10_000, help="How many of those that ended.")] = 10,
    database: Database = None,
    application: Application = None,
    as_json: Json = False,
) -> None:
    """Which replicas there are, and when each was last heard of."""
    found = ask(database, lambda connection: read_replicas(connection, application=application, past=past))
    if as_json:
        write_json("replicas", {"items": found})
        return
    shown = table("replica", "application", "state", "version", "since", "last seen")
    for one in found:
        cells = (one.state, one.version, when(one.started_at), ago(one.seen_ago))
        add(shown, f"{one.host}:{one.pid}", one.application, *cells)
    screen().print(shown if found else "There are no replicas.")
