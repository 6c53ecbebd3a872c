"""The command line, put together."""

import os
import sys
from typing import Annotated

import typer

from ..service.environment import PREFIX, unknown_variables
from ..version import package_version
from .commands.planned import add_later
from .failures import USAGE, report
from .lazy_group import LazyCommand, lazy_group

COMMANDS = {
    "run": LazyCommand("run", "run", "Run what FILE defines: sync, startup cleanup, then run until SIGTERM."),
    "check": LazyCommand("check", "check", "Are the definitions right? Prints the next occurrences of each schedule."),
    "preview": LazyCommand(
        "check",
        "preview_command",
        "The next instants of an expression; what daylight saving time does to them is marked.",
    ),
    "schema": LazyCommand(
        "schema",
        "schema",
        "Print the JSON Schema of a TOML file of definitions, for an editor to check and complete it.",
    ),
    "sync": LazyCommand(
        "sync", "sync", "Write the definitions of FILE into the database; other applications are not touched."
    ),
    "status": LazyCommand(
        "status", "status", "One screen: replicas, schedules, what runs, what is late, stuck or failing."
    ),
    "runs": LazyCommand("history", "runs", "The history, the latest run first."),
    "show": LazyCommand("history", "show", "One run with its attempts, tokens, holders and log tails."),
    "locks": LazyCommand("locks", "locks", "Who holds what, under which token, last renewed when."),
    "replicas": LazyCommand("replicas", "replicas", "Which replicas there are, and when each was last heard of."),
    "trigger": LazyCommand("trigger", "trigger", "Make a run now; a replica starts it. Who asked and why is recorded."),
    "audit": LazyCommand(
        "audit", "audit", "Checks the whole history against what is promised; exit status 1 if it breaks a promise."
    ),
    "db": LazyCommand("db", "db", "Migrations, also as a script."),
}
"""The commands in the order of the help; a test compares what it says of each with the command's
own help.
"""

app = typer.Typer(
    name="leased",
    cls=lazy_group("daemon.cli.commands", COMMANDS),
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
    warn_of_unknown_variables(as_json=bool(context.obj))


def warn_of_unknown_variables(*, as_json: bool) -> None:
    """Write a warning for each variable that looks like a setting and is none."""
    if not any(name.startswith(PREFIX) for name in os.environ):
        return
    from ..service.settings import Settings  # noqa: PLC0415 - the help of all commands needs no settings

    for sentence in unknown_variables(os.environ, Settings.model_fields):
        report(sentence, "settings", as_json=as_json, what="warning")


add_later(app)
