"""`leased locks`: the leases and their holders."""

from typing import Annotated

import typer
from sqlalchemy import Connection

from ....answers.questions import LocksAnswer
from ....store.views.locks import Lock, read_locks, require_lease
from ....text import ago, lasted
from ...ask import ask
from ...options import Database, Json
from ...screen import Sheet, say, screen, write_json


def locks(
    prefix: Annotated[
        str, typer.Argument(metavar="PREFIX", help="Only names that start with this.", show_default=False)
    ] = "",
    free: Annotated[bool, typer.Option("--all", help="Include leases that nobody holds.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show who holds which lease, with its token and when it expires."""

    def read(connection: Connection) -> list[Lock]:
        require_lease(connection, prefix)
        return read_locks(connection, prefix=prefix, free=free)

    found = ask(database, read)
    if as_json:
        write_json("locks", LocksAnswer(items=found))
        return
    columns, right = ("lock", "token", "holder", "held", "expires", "run", "long"), ("token", "held", "run")
    shown = Sheet(*columns, right=right, spare=("run", "held"), if_any=("run", "long"))
    for lock in found:
        holder = lock.label or lock.holder or "nobody"
        stale = "" if lock.live or lock.holder is None else " (stale)"
        expires = ago(-lock.expires_in) if lock.expires_in is not None else ""
        shown.add(lock.name, lock.token, holder, lasted(lock.held_for), f"{expires}{stale}", lock.run_id, lock.long)
    console = screen()
    if found:
        console.print(shown)
    elif free:
        say(console, "There are no leases yet; schedules and programs that take locks create them.")
    else:
        named = f' whose name begins with "{prefix}"' if prefix else ""
        say(console, f"No lease{named} is held; --all lists those that nobody holds.")
