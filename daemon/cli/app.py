"""The command line as a whole: the group of all commands."""

import os
import sys
from typing import Annotated

import typer

from ..service.environment import PREFIX, unknown_variables
from ..version import package_version
from .failures import USAGE, report
from .lazy_group import LazyCommand, lazy_group
from .planned import add_later

COMMANDS = {
    "run": LazyCommand(
        "run", "run", "Run the schedules in FILE: sync, clean up after dead replicas, then work until SIGTERM."
    ),
    "check": LazyCommand(
        "defining.check", "check", "Check the definitions in FILE and show the next occurrences of each schedule."
    ),
    "preview": LazyCommand(
        "defining.check",
        "preview_command",
        "Show the next instants of an expression and mark what daylight saving time changes.",
    ),
    "schema": LazyCommand(
        "defining.schema",
        "schema",
        "Print the JSON Schema of TOML files, which lets an editor check and complete them.",
    ),
    "init": LazyCommand(
        "defining.init", "init", "Write a first FILE of schedules, in Python or TOML, that runs as it is."
    ),
    "import": LazyCommand(
        "defining.imports",
        "imports",
        "Turn schedules from elsewhere, such as a crontab, into a TOML file of definitions.",
    ),
    "sync": LazyCommand(
        "defining.sync", "sync", "Write the definitions in FILE to the database; other applications are not touched."
    ),
    "status": LazyCommand(
        "reading.status", "status", "Show replicas, schedules, what is running, and what is late, stuck or failing."
    ),
    "runs": LazyCommand("reading.history", "runs", "List the runs, latest first."),
    "show": LazyCommand("reading.history", "show", "Show one run with its attempts, tokens, holders and log tails."),
    "logs": LazyCommand(
        "reading.logs", "logs", "Print what the jobs of a run have printed; with --follow, as it comes."
    ),
    "locks": LazyCommand(
        "reading.locks", "locks", "Show who holds which lease, under which token, and when it expires."
    ),
    "replicas": LazyCommand("reading.replicas", "replicas", "List the replicas and when each was last seen."),
    "generations": LazyCommand(
        "reading.generations",
        "generations",
        "List the generations of the definitions, which of them rule, who runs which, and what comes next.",
    ),
    "trigger": LazyCommand(
        "acting.trigger",
        "trigger",
        "Request a run, now or for later, and record who asked and why; a replica executes it.",
    ),
    "cancel": LazyCommand(
        "acting.cancel", "cancel", "Cancel a run: one that waits ends at once, the job of one at work is stopped first."
    ),
    "pause": LazyCommand(
        "acting.pause",
        "pause",
        "Pause schedules: what is due meanwhile is recorded as skipped; requested runs and runs at work go on.",
    ),
    "resume": LazyCommand(
        "acting.pause", "resume", "End the pause of schedules, and say what passed meanwhile; none of that runs."
    ),
    "activity": LazyCommand("reading.activity", "activity", "List who did what, when and why, the latest first."),
    "retry": LazyCommand(
        "acting.retry",
        "retry",
        "Try a run again that failed or was cancelled: what it has done is carried over, the rest runs.",
    ),
    "forget": LazyCommand(
        "acting.forget",
        "forget",
        "Delete the params, reasons, errors and output of a run that is over; that it ran stays.",
    ),
    "retire": LazyCommand(
        "acting.retire",
        "retire",
        "Retire an application that is gone for good: its schedules, and what waits of it.",
    ),
    "backfill": LazyCommand(
        "acting.backfill",
        "backfill",
        "Run the past instants of a schedule that have not succeeded, one run for each, behind its other runs.",
    ),
    "backfills": LazyCommand(
        "acting.backfill", "backfills", "List the backfills and how far each is, the latest first."
    ),
    "audit": LazyCommand(
        "reading.audit",
        "audit",
        "Look for broken promises in the recorded history; exit with status 1 if one is found.",
    ),
    "db": LazyCommand(
        "db", "db", "Create or migrate the tables, prepare those of a backup, or print the migrations as a script."
    ),
}
"""The commands in the order of the help; a test compares each help line with the command's
docstring.
"""

app = typer.Typer(
    name="leased",
    cls=lazy_group("daemon.cli.commands", COMMANDS),
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    invoke_without_command=True,
    help="Schedules whose runs hold a lease: any number of replicas, no two holders of a lease at once, and by default "
    "one run of a schedule at a time.",
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
    """Write a warning for each environment variable that looks like a setting but is not."""
    if not any(name.startswith(PREFIX) for name in os.environ):
        return
    from ..service.settings import Settings  # noqa: PLC0415 - the help needs no settings

    for sentence in unknown_variables(os.environ, Settings.model_fields):
        report(sentence, "settings", as_json=as_json, what="warning")


add_later(app)
