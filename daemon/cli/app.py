"""The command line as a whole: the group of all commands, each imported when it is used, so that the help imports none;
and a call of it, with its exit status and the standard streams as it finds and leaves them.
"""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from ..errors import NotYet
from ..jobs.room import shortage
from ..service.environment import PREFIX, unknown_variables
from ..text import nearest
from ..version import package_version
from .failures import DONE, EXPECTED, FAILED, INTERRUPTED, USAGE, Misused, report, report_defect, report_expected

COMMANDS = {
    "run": "Run the schedules in FILE until SIGTERM: sync them, recover the runs of dead replicas, then run what is "
    "due.",
    "web": "Serve the pages and the API without running anything: they stay when the last replica is gone.",
    "check": "Validate the definitions in FILE and show the next runs of each schedule.",
    "preview": "Show the next scheduled times of an expression and mark what daylight saving time changes.",
    "schema": "Print the JSON Schema of TOML files, so that an editor can check and complete them.",
    "init": "Write a first FILE of schedules, in Python or TOML, that runs without changes.",
    "import": "Convert other schedules, such as a crontab, into a TOML file of definitions.",
    "sync": "Write the definitions in FILE to the database; leave other applications alone.",
    "status": "Show replicas, schedules, active runs, and what is late, stuck or failing.",
    "report": "Show what became of all that was due in a night, with deploys, acts and outages.",
    "why": "Say why a schedule or a run does or does not run, and what to do.",
    "runs": "List runs, latest first.",
    "show": "Show one run with its attempts, errors and output; with --wide, its tokens and holders too.",
    "logs": "Print the output of a run's jobs; with --follow, as it arrives.",
    "stack": "Show what a running job does at this moment: its processes and where its code stands.",
    "locks": "Show who holds which lease, with its token and when it expires.",
    "replicas": "List replicas and when each was last seen.",
    "generations": "List the generations of the definitions: which is active, which replicas run which, and what "
    "happens next.",
    "trigger": "Request a run, now or later, and record who asked and why; a replica executes it.",
    "cancel": "Cancel a run: a pending run ends at once; a running one ends when its job has stopped.",
    "pause": "Pause schedules: scheduled times are skipped and recorded; requested and running runs continue.",
    "resume": "Resume paused schedules and show how many scheduled times passed; none of those will run.",
    "notify": "Show who is notified: what waits, what was delivered, and the last error of each target.",
    "activity": "List who did what, when and why, latest first.",
    "retry": "Retry a failed or cancelled run: jobs that succeeded are kept, the others run again.",
    "forget": "Delete the params, reasons, errors and output of a finished run; keep the record that it ran.",
    "retire": "Retire an application for good: retire its schedules and cancel its waiting runs.",
    "backfill": "Run a schedule's past scheduled times that have not succeeded, one run each, after its other runs.",
    "backfills": "List backfills and the progress of each, latest first.",
    "audit": "Check the recorded history for violations; exit with status 1 if there are any.",
    "doctor": "Check the database, this machine and the replicas, with a remedy for each problem.",
    "db": "Create or migrate the tables, prepare a restored backup, or print the migrations as SQL.",
}
"""The commands in the order of the help, with their lines there; a test compares each with the command's docstring."""
_MODULES = {
    "run": ("run",),
    "web": ("web",),
    "defining.check": ("check", "preview"),
    "defining.schema": ("schema",),
    "defining.init": ("init",),
    "defining.imports": ("import",),
    "defining.sync": ("sync",),
    "reading.status": ("status",),
    "reading.report": ("report", "activity"),
    "reading.why": ("why", "stack"),
    "reading.history": ("runs", "show", "logs"),
    "reading.fleet": ("locks", "replicas", "generations"),
    "acting.runs": ("trigger", "cancel", "retry", "forget"),
    "acting.schedules": ("pause", "resume", "retire", "backfill", "backfills"),
    "acting.notify": ("notify",),
    "reading.audit": ("audit",),
    "reading.doctor": ("doctor",),
    "db": ("db",),
}
_FUNCTIONS = {"import": "imports", "preview": "preview_command"}
"""The functions that have another name than their command."""
LATER = {"lock": "use the library: lease.sync.LeaseClient(url).hold(name)"}
"""The commands that do not exist yet, each with what to do until then; the help has none of them."""
_OTHERS = {
    "status": ("list", "ls", "ps", "top", "info", "schedules"),
    "runs": ("list", "ls", "history", "executions"),
    "run": ("start", "serve", "worker", "scheduler", "daemon", "up"),
    "trigger": ("start", "exec", "execute", "fire", "enqueue", "now"),
    "logs": ("log", "tail", "output"),
    "cancel": ("stop", "kill", "abort", "terminate"),
    "pause": ("disable", "suspend", "stop", "hold"),
    "resume": ("enable", "unpause", "continue"),
    "retry": ("rerun", "restart", "redo"),
    "check": ("validate", "lint", "verify", "next"),
    "sync": ("apply", "deploy", "push"),
    "retire": ("delete", "remove", "rm"),
    "show": ("describe", "inspect", "get"),
    "init": ("new", "create"),
    "import crontab": ("crontab", "convert"),
    "db upgrade": ("upgrade", "migrate"),
    "activity": ("audit-log", "events"),
    "locks": ("leases",),
    "--version": ("version",),
    "--help": ("help", "commands"),
}


class LazyGroup(TyperGroup):
    """The group of `COMMANDS`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is asked for; raises `NotYet` and `Misused` with what may be meant."""
        name = args[0]
        if name in LATER:
            raise NotYet(f"the command {name} does not exist yet; {LATER[name]}")
        if name not in COMMANDS and not name.startswith("-"):
            meant = [command for command, others in _OTHERS.items() if name.lower() in others]
            if not meant and (near := nearest(name, COMMANDS)) is not None:
                meant = [near]
            which = " or ".join(f"`leased {one}`" for one in meant)
            remedy = f"did you mean {which}?" if meant else "see `leased --help`"
            raise Misused(f'there is no command "{name}"; {remedy}')
        return super().resolve_command(ctx, args)

    def get_command(self, _ctx: Any, name: str) -> Any:
        module = next((module for module, commands in _MODULES.items() if name in commands), None)
        if module is None:
            return None
        found = getattr(import_module(f".commands.{module}", __package__), _FUNCTIONS.get(name, name))
        if isinstance(found, typer.Typer):
            return get_command(found)
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        alone.command(name)(found)
        return get_command(alone)

    def list_commands(self, _ctx: Any) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, _ctx: Any, formatter: Any) -> None:
        """Write the lines of the help, without an import of the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])


app = typer.Typer(
    name="leased",
    cls=LazyGroup,
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
    if any(name.startswith(PREFIX) for name in os.environ):
        from ..service.settings import Settings  # noqa: PLC0415 - the help needs no settings

        for sentence in unknown_variables(os.environ, Settings.model_fields):
            report(sentence, "settings", as_json=bool(context.obj), what="warning")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    if sys.platform == "win32":
        report("the daemon needs Linux or macOS; on Windows only the lock library works", "platform", as_json=as_json)
        return FAILED
    open_closed_ones()
    try:
        status = app(given, prog_name="leased", standalone_mode=False, obj=as_json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except EXPECTED as error:
        return report_expected(error, as_json=as_json)
    except Exception as error:  # noqa: BLE001 - a bug in leased, reported with its traceback
        known = unwritten(error) or shortage(error, "this command cannot continue")
        if known is None:
            report_defect(error)
        else:
            report(str(known), "failed", as_json=as_json)
        return FAILED
    if (lost := unwritten()) is not None:
        report(lost, "failed", as_json=as_json)
        return FAILED
    return status if isinstance(status, int) else DONE


_NAMES = ("stdin", "stdout", "stderr")
_OF_OUTPUT = frozenset({errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC})
"""What a write says that can go nowhere. An error about a file that is opened names that file."""


def open_closed_ones() -> None:
    """Open `/dev/null` for each that is closed (``>&-``): a file or a connection would take its number."""
    for number, name in enumerate(_NAMES):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", errors="replace", closefd=False))


def unwritten(error: Exception | None = None) -> str | None:
    """Return why the answer cannot be written, if that is what ``error`` says, or what writing the rest of it says; the
    rest is dropped then.
    """
    try:
        sys.stdout.flush()
    except OSError as late:
        error = late
    if not isinstance(error, OSError) or error.filename is not None or error.errno not in _OF_OUTPUT:
        return None
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # or the interpreter would try again at its end
    os.close(nowhere)
    return f"the output cannot be written: {error.strerror}"
