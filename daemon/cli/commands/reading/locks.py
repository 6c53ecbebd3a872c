"""`leased locks`: the leases and their holders."""

from dataclasses import dataclass
from typing import Annotated

import typer
from sqlalchemy import Connection

from ....store.views import Lock, read_locks, require_lease
from ....text import ago, clean, lasted
from ...answers import write_json
from ...ask import ask
from ...options import Database, Json
from ...screen import add, screen, table


@dataclass(frozen=True, slots=True)
class LocksAnswer:
    """The answer of `leased locks --json`."""

    items: list[Lock]


def locks(
    prefix: Annotated[str, typer.Argument(help="Only names that begin with this.", show_default=False)] = "",
    free: Annotated[bool, typer.Option("--all", help="Include leases that nobody holds.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show who holds which lease, under which token, and when it expires."""

    def read(connection: Connection) -> list[Lock]:
        require_lease(connection, prefix)
        return read_locks(connection, prefix=prefix, free=free)

    found = ask(database, read)
    if as_json:
        write_json("locks", LocksAnswer(items=found))
        return
    columns, right = ("name", "token", "holder", "held for", "expires", "run"), ("token", "held for", "run")
    shown = table(*columns, right=right, spare=("run", "held for"))
    for lock in found:
        holder = lock.label or lock.holder or "nobody"
        stale = "" if lock.live or lock.holder is None else " (stale)"
        expires = ago(-lock.expires_in) if lock.expires_in is not None else ""
        add(shown, lock.name, lock.token, holder, lasted(lock.held_for), f"{expires}{stale}", lock.run_id)
    screen().print(shown if found else _none(prefix, free=free), soft_wrap=not found)


def _none(prefix: str, *, free: bool) -> str:
    named = f' whose name begins with "{clean(prefix)}"' if prefix else ""
    return f"There is no lease{named}." if free else f"No lease{named} is held."
