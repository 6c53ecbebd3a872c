"""The command line, put together."""

import sys
from typing import Annotated

import typer

from ..version import package_version
from .commands.audit import audit
from .commands.check import check, preview_command
from .commands.db import db
from .commands.history import runs, show
from .commands.locks import locks
from .commands.planned import add_later
from .commands.replicas import replicas
from .commands.run import run
from .commands.status import status
from .commands.sync import sync
from .commands.trigger import trigger
from .failures import USAGE

app = typer.Typer(
    name="leased",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    invoke_without_command=True,
    help="Schedules whose runs hold a lease: any number of replicas, and no job runs twice at once.",
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"leased {package_version()}\n")
        raise typer.Exit


@app.callback()
def leased(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version
    if context.invoked_subcommand is None:
        sys.stderr.write(context.get_help() + "\n")
        raise typer.Exit(USAGE)


app.command()(run)
app.command()(check)
app.command("preview")(preview_command)
app.command()(sync)
app.command()(status)
app.command()(runs)
app.command()(show)
app.command()(locks)
app.command()(replicas)
app.command()(trigger)
app.command()(audit)
app.add_typer(db, name="db")
add_later(app)
