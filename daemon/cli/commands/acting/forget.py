"""`leased forget`: the deletion of what must not be kept of one run."""

from typing import Annotated

import typer

from ....operations.forget import Forgotten, foreseen
from ....operations.forget import forget as forget_run
from ....text import when
from ...ask import ask
from ...failures import Misused
from ...options import By, Database, Json, RunNumber, author
from ...question import can_be_asked, says_yes
from ...screen import say, screen, write_json

_WHAT = "params, reasons, errors and output"


def forget(
    run_id: RunNumber,
    why: Annotated[str | None, typer.Option(metavar="TEXT", help="Reason; it is recorded and kept.")] = None,
    by: By = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask for confirmation; required without a terminal.")
    ] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Delete the params, reasons, errors and output of a finished run; keep the record that it ran."""
    who = author(by, why)
    if not yes:
        _confirm(ask(database, lambda connection: foreseen(connection, run_id)))
    done = ask(database, lambda connection: forget_run(connection, run_id, requested_by=who, why=why), write=True)
    if as_json:
        write_json("forget", done)
        return
    say(screen(), _sentence(done))


def _confirm(which: str) -> None:
    """Ask at a terminal; otherwise refuse. Raises `Misused`."""
    if not can_be_asked():
        raise Misused(f"forgetting {which} cannot be undone; add --yes to confirm")
    if not says_yes(f"Forget the {_WHAT} of {which}? They cannot be brought back."):
        raise Misused("nothing was forgotten; --yes skips the question")


def _sentence(done: Forgotten) -> str:
    run = f"run {done.run_id} of {done.schedule} ({done.application})"
    if done.already:
        return f"run {done.run_id} was already forgotten by {done.forgotten_by} at {when(done.forgotten_at)}"
    return f"{run} is forgotten: its {_WHAT} are deleted; when it ran and how it ended are kept"
