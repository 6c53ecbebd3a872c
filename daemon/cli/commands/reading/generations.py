"""`leased generations`: the definitions that an application has had, and who runs which."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import Connection

from ....operations.generations import GenerationStanding, beside_each_other, read_standings
from ....recovery.deaths import neighbours, proven_dead
from ....service.settings import read_settings
from ....store.views import require_application
from ....text import when
from ...answers import write_json
from ...ask import ask
from ...options import Application, Database, Json
from ...screen import add, print_sentences, say, screen, table
from .generation_table import DIGEST_SHOWN, run_by, sentences

if TYPE_CHECKING:
    from ...screen import Sheet


@dataclass(frozen=True, slots=True)
class GenerationsAnswer:
    """The answer of `leased generations --json`."""

    items: list[GenerationStanding]


def generations(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many of each application to list.")] = 20,
    database: Database = None,
    application: Application = None,
    as_json: Json = False,
) -> None:
    """List the generations of the definitions, which of them rule, who runs which, and what comes next."""
    takeover_after = read_settings({"database_url": database}).takeover_after

    def read(connection: Connection) -> list[GenerationStanding]:
        require_application(connection, application)
        dead = proven_dead(neighbours(connection))
        return read_standings(connection, application, limit=limit, dead=dead, takeover_after=takeover_after)

    found = ask(database, read)
    if as_json:
        write_json("generations", GenerationsAnswer(items=found))
        return
    console = screen()
    if not found:
        say(console, "There are no generations yet; `leased run FILE` or `leased sync FILE` makes the first.")
        return
    console.print(_table(found))
    print_sentences(console, sentences(beside_each_other(found)))


def _table(found: Sequence[GenerationStanding]) -> "Sheet":
    columns = ("generation", "application", "digest", "revision", "state", "brought by", "came")
    shown = table(
        *columns,
        "ruled",
        "superseded",
        "changed",
        "run by",
        right=("generation", "revision"),
        wraps=("brought by", "changed", "run by"),
        spare=("digest", "superseded", "ruled", "came", "brought by", "changed"),
        unless_one=("application",),
    )
    for one in found:
        add(
            shown,
            one.number,
            one.application,
            one.digest[:DIGEST_SHOWN],
            one.revision,
            one.state,
            one.brought_by,
            when(one.came_at),
            when(one.ruled_at),
            when(one.superseded_at),
            (one.changes or "").removeprefix("schedules: "),
            run_by(one),
        )
    return shown
