"""`leased import`: schedules that come from elsewhere."""

import sys
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from ....definitions.crontab.document import LineRemark
from ....definitions.values.names import check_name
from ....definitions.values.refusal import refused_at
from ....definitions.values.times import check_timezone
from ....errors import Place
from ....operations.import_crontab import Import, import_crontab
from ....text import counted, listed
from ...answers import write_json
from ...failures import DONE, FAILED, USAGE
from ...options import Json
from ...question import tell
from ...screen import say, screen
from .init import write_new

imports = typer.Typer(
    help="Convert other schedules, such as a crontab, into a TOML file of definitions.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
)


@imports.callback()
def without_a_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        sys.stderr.write(context.get_help() + "\n")
        raise typer.Exit(USAGE)


@dataclass(frozen=True, slots=True)
class ImportedLine:
    """A line of a crontab, and the schedule that it became."""

    line: int
    schedule: str
    timing: str
    timezone: str


@dataclass(frozen=True, slots=True)
class ImportAnswer:
    """The answer of `leased import crontab --json`; without ``output``, the document is in ``toml`` alone."""

    file: str
    application: str
    timezone: str
    with_users: bool
    output: str | None
    toml: str
    items: list[ImportedLine]
    remarks: list[LineRemark]
    lost: list[int]


@imports.command()
def crontab(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A crontab; - for standard input.", show_default=False)],
    with_users: Annotated[
        bool | None,
        typer.Option(
            "--system/--user",
            help="Whether each line names a user before the command, as in /etc/crontab. Detected by default.",
            show_default=False,
        ),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="TZ", help="The time zone of the crontab; by default this machine's.")
    ] = None,
    application: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the application; by default made from host and file.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write to this file, which must not exist; by default to stdout."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Convert a crontab to TOML and list the lines that could not be converted.

    Exit with status 1 if a line could not be converted; write the others all the same.
    """
    _check(timezone, application)
    done = import_crontab(file, with_users=with_users, timezone=timezone, application=application)
    if not done.document:
        output = None
    if output is not None:
        write_new(output, done.document)
    if as_json:
        write_json("import-crontab", _answer(file, done, output))
    else:
        _print(file, done, output)
    return FAILED if done.crontab.lost or not done.document else DONE


def _check(timezone: str | None, application: str | None) -> None:
    if timezone is not None:
        with refused_at(Place(field="--timezone")):
            check_timezone(timezone)
    if application is not None:
        with refused_at(Place(field="--application")):
            check_name("application", application)


def _answer(file: str, done: Import, output: Path | None) -> ImportAnswer:
    return ImportAnswer(
        file=file,
        application=done.application,
        timezone=done.timezone,
        with_users=done.with_users,
        output=None if output is None else str(output),
        toml=done.document,
        items=[ImportedLine(one.line, one.schedule, one.timing, one.timezone) for one in done.crontab.schedules],
        remarks=list(done.crontab.remarks),
        lost=done.crontab.lost,
    )


def _print(file: str, done: Import, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(done.document)
    for remark in done.crontab.remarks:
        tell(f"{file}{_where(remark)}: {'not converted' if remark.lost else 'note'}: {remark.text}")
    count, lost = len(done.crontab.schedules), len(done.crontab.lost)
    notes = sum(not remark.lost for remark in done.crontab.remarks)
    found = counted(count, "schedule")
    left_out = f"{counted(lost, 'line')} left out{'' if done.document else ', nothing written'}"
    as_read = "a system crontab, with a user in each line" if done.with_users else "a user's crontab"
    tell(f"{file}: {counted(count, 'line')} imported, {counted(notes, 'note')}, {left_out}")
    tell(f"It was read as {as_read}, in the time zone {done.timezone}.")
    if output is not None:
        say(screen(), f"{output}: {found}; next: `leased check {quote(str(output))}`")


def _where(remark: LineRemark) -> str:
    lines = listed([*map(str, remark.lines)])
    return f", {'line' if len(remark.lines) == 1 else 'lines'} {lines}" if lines else ""
