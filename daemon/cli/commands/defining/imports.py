"""`leased import`: schedules that come from elsewhere."""

import os
import pwd
import re
import socket
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from ....definitions.crontab import LineRemark, LocalFacts, has_users, translate, write_document
from ....definitions.triggers.trigger import check_timezone
from ....definitions.values.refusal import refused_at
from ....definitions.values.strings import check_name
from ....errors import DaemonError, Place
from ....text import counted, listed
from ...failures import DONE, FAILED
from ...options import Json, group, local_timezone, tell
from ...screen import say, screen, write_json
from .init import application_name, write_new

_CRON_D = Path("/etc/cron.d")
_WITH_USERS = (Path("/etc/crontab"), _CRON_D)
_SPOOLS = (Path("/var/spool/cron/crontabs"), Path("/var/spool/cron"), Path("/var/cron/tabs"))
"""The folders with the crontabs of users, each under the name of its user."""
_OF_CRON_D = re.compile(r"[A-Za-z0-9_-]+")
_STDIN = "-"
STDIN_NAME = "standard input"


class NoCrontab(DaemonError):
    """The input cannot be read as a crontab."""


imports = group("Convert other schedules, such as a crontab, into a TOML file of definitions.")


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


_USERS_HELP = "Whether each line names a user before the command, as in /etc/crontab. Detected by default."


@imports.command()
def crontab(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A crontab; - for standard input.")],
    with_users: Annotated[bool | None, typer.Option("--system/--user", help=_USERS_HELP)] = None,
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
    if timezone is not None:
        with refused_at(Place(field="--timezone")):
            check_timezone(timezone)
    if application is not None:
        with refused_at(Place(field="--application")):
            check_name("application", application)
    done = _imported(file, with_users, timezone, application, output)
    if as_json:
        write_json("import-crontab", done)
    else:
        _print(done)
    return FAILED if done.lost or not done.toml else DONE


def _imported(
    file: str, with_users: bool | None, timezone: str | None, application: str | None, output: Path | None
) -> ImportAnswer:
    """Read a crontab of this machine, and write what it becomes to ``output``; without a schedule there is no file."""
    name = STDIN_NAME if file == _STDIN else file
    text, path = _read(file, name), Path(name).absolute()
    owner = path.name if path.parent in _SPOOLS else None  # by where it is
    if with_users is None:
        by_place = path in _WITH_USERS or path.parent in _WITH_USERS
        with_users = owner is None and (by_place or has_users(text, {entry.pw_name for entry in pwd.getpwall()}))
    zone = timezone or local_timezone()
    if application is None:
        # A name that no other crontab of any machine has: that of the host, and of the file or user.
        host, stem = socket.gethostname().partition(".")[0], _user() if file == _STDIN else path.stem
        application = application_name(f"{host}-{stem}")
    found = translate(text, LocalFacts(_user(), zone, _home_of, owner), with_users=with_users)
    if path.parent == _CRON_D and not _OF_CRON_D.fullmatch(path.name):
        why = "Debian's cron reads no file with such a name, so it may have been switched off"
        found = replace(found, remarks=(LineRemark((), why), *found.remarks))
    document = write_document(found, application, name) if found.schedules else ""
    written = str(output) if output is not None and document else None
    if written is not None:
        write_new(Path(written), document)
    items = [ImportedLine(one.line, one.schedule, one.timing, one.timezone) for one in found.schedules]
    return ImportAnswer(file, application, zone, with_users, written, document, items, list(found.remarks), found.lost)


def _read(file: str, name: str) -> str:
    """Return the text of a file, or of standard input for ``-``; raises `NoCrontab`."""
    try:
        written = sys.stdin.buffer.read() if file == _STDIN else Path(file).read_bytes()
    except OSError as error:
        raise NoCrontab(f"{name} cannot be read: {error.strerror}; `crontab -l` prints your own crontab") from None
    try:
        text = written.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NoCrontab(f"{name} is not UTF-8; save it as UTF-8") from None
    if "\0" in text:
        raise NoCrontab(f"{name} is not text; name a crontab")
    return text


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a user id without a name, as in a container
        return str(os.geteuid())


def _home_of(user: str) -> str | None:
    try:
        return pwd.getpwnam(user).pw_dir
    except KeyError:
        return None


def _print(done: ImportAnswer) -> None:
    if done.output is None:
        sys.stdout.write(done.toml)
    for remark in done.remarks:
        lines = f", {'line' if len(remark.lines) == 1 else 'lines'} {listed([*map(str, remark.lines)])}"
        where = f"{done.file}{lines if remark.lines else ''}"
        tell(f"{where}: {'not converted' if remark.lost else 'note'}: {remark.text}")
    count, notes = len(done.items), sum(not remark.lost for remark in done.remarks)
    left_out = f"{counted(len(done.lost), 'line')} left out{'' if done.toml else ', nothing written'}"
    as_read = "a system crontab, with a user in each line" if done.with_users else "a user's crontab"
    tell(f"{done.file}: {counted(count, 'line')} imported, {counted(notes, 'note')}, {left_out}")
    tell(f"It was read as {as_read}, in the time zone {done.timezone}.")
    if done.output is not None:
        say(screen(), f"{done.output}: {counted(count, 'schedule')}; next: `leased check {quote(done.output)}`")
