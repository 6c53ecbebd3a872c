"""The command line as a whole: the group of all commands."""

import os
import sys
from typing import Annotated

import typer

from ..service.environment import PREFIX, unknown_variables
from ..version import package_version
from .failures import USAGE, report
from .lazy_group import LazyCommand, add_later, lazy_group

COMMANDS = {
    "run": LazyCommand(
        "run",
        "run",
        "Run the schedules in FILE until SIGTERM: sync them, recover the runs of dead replicas, then run what is due.",
    ),
    "web": LazyCommand(
        "web",
        "web",
        "Serve the pages and the API without running anything: they stay when the last replica is gone.",
    ),
    "check": LazyCommand(
        "defining.check", "check", "Validate the definitions in FILE and show the next runs of each schedule."
    ),
    "preview": LazyCommand(
        "defining.check",
        "preview_command",
        "Show the next scheduled times of an expression and mark what daylight saving time changes.",
    ),
    "schema": LazyCommand(
        "defining.schema",
        "schema",
        "Print the JSON Schema of TOML files, so that an editor can check and complete them.",
    ),
    "init": LazyCommand(
        "defining.init", "init", "Write a first FILE of schedules, in Python or TOML, that runs without changes."
    ),
    "import": LazyCommand(
        "defining.imports",
        "imports",
        "Convert other schedules, such as a crontab, into a TOML file of definitions.",
    ),
    "sync": LazyCommand(
        "defining.sync", "sync", "Write the definitions in FILE to the database; leave other applications alone."
    ),
    "status": LazyCommand(
        "reading.status", "status", "Show replicas, schedules, active runs, and what is late, stuck or failing."
    ),
    "report": LazyCommand(
        "reading.report",
        "report",
        "Show what became of all that was due in a night, with deploys, acts and outages.",
    ),
    "why": LazyCommand("reading.why", "why", "Say why a schedule or a run does or does not run, and what to do."),
    "runs": LazyCommand("reading.history", "runs", "List runs, latest first."),
    "show": LazyCommand(
        "reading.history",
        "show",
        "Show one run with its attempts, errors and output; with --wide, its tokens and holders too.",
    ),
    "logs": LazyCommand("reading.logs", "logs", "Print the output of a run's jobs; with --follow, as it arrives."),
    "stack": LazyCommand(
        "reading.stack",
        "stack",
        "Show what a running job does at this moment: its processes and where its code stands.",
    ),
    "locks": LazyCommand("reading.locks", "locks", "Show who holds which lease, with its token and when it expires."),
    "replicas": LazyCommand("reading.replicas", "replicas", "List replicas and when each was last seen."),
    "generations": LazyCommand(
        "reading.generations",
        "generations",
        "List the generations of the definitions: which is active, which replicas run which, and what happens next.",
    ),
    "trigger": LazyCommand(
        "acting.trigger",
        "trigger",
        "Request a run, now or later, and record who asked and why; a replica executes it.",
    ),
    "cancel": LazyCommand(
        "acting.runs",
        "cancel",
        "Cancel a run: a pending run ends at once; a running one ends when its job has stopped.",
    ),
    "pause": LazyCommand(
        "acting.pause",
        "pause",
        "Pause schedules: scheduled times are skipped and recorded; requested and running runs continue.",
    ),
    "resume": LazyCommand(
        "acting.pause",
        "resume",
        "Resume paused schedules and show how many scheduled times passed; none of those will run.",
    ),
    "notify": LazyCommand(
        "acting.notify",
        "notify",
        "Show who is notified: what waits, what was delivered, and the last error of each target.",
    ),
    "activity": LazyCommand("reading.activity", "activity", "List who did what, when and why, latest first."),
    "retry": LazyCommand(
        "acting.runs",
        "retry",
        "Retry a failed or cancelled run: jobs that succeeded are kept, the others run again.",
    ),
    "forget": LazyCommand(
        "acting.runs",
        "forget",
        "Delete the params, reasons, errors and output of a finished run; keep the record that it ran.",
    ),
    "retire": LazyCommand(
        "acting.retire",
        "retire",
        "Retire an application for good: retire its schedules and cancel its waiting runs.",
    ),
    "backfill": LazyCommand(
        "acting.backfill",
        "backfill",
        "Run a schedule's past scheduled times that have not succeeded, one run each, after its other runs.",
    ),
    "backfills": LazyCommand("acting.backfill", "backfills", "List backfills and the progress of each, latest first."),
    "audit": LazyCommand(
        "reading.audit",
        "audit",
        "Check the recorded history for violations; exit with status 1 if there are any.",
    ),
    "doctor": LazyCommand(
        "reading.doctor",
        "doctor",
        "Check the database, this machine and the replicas, with a remedy for each problem.",
    ),
    "db": LazyCommand(
        "db", "db", "Create or migrate the tables, prepare a restored backup, or print the migrations as SQL."
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
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    help="Run schedules on several machines. Each run holds a lease: no two holders at once, and by default "
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
