"""The command line, put together."""

import sys
from typing import Annotated

import typer

from ..version import package_version
from .act import trigger
from .audit import audit
from .check import check, preview_command
from .db import db
from .failing import USAGE
from .history import runs, show
from .holdings import locks, replicas
from .later import add_later
from .run import run
from .status import status
from .sync import sync

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
