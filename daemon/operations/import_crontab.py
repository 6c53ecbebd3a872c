"""The import of a crontab, as TOML that says the same: nothing of it is put to use by that."""

import os
import pwd
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..definitions.crontab.document import ImportedCrontab, LineRemark, write_document
from ..definitions.crontab.translate import LocalFacts, has_users, translate
from ..definitions.values.names import LONGEST
from ..definitions.values.refusal import Refusal
from ..definitions.values.times import check_timezone
from ..errors import DaemonError

_LOCALTIME = Path("/etc/localtime")
_TIMEZONE = Path("/etc/timezone")
_CRON_D = Path("/etc/cron.d")
_WITH_USERS = (Path("/etc/crontab"), _CRON_D)
_SPOOLS = (Path("/var/spool/cron/crontabs"), Path("/var/spool/cron"), Path("/var/cron/tabs"))
"""Where the crontabs of users are, each under the name of its user."""
_OF_CRON_D = re.compile(r"[A-Za-z0-9_-]+")
_STDIN = "-"
_STDIN_NAME = "standard input"


class NoCrontab(DaemonError):
    """What was given cannot be read as a crontab."""


class NoLocalZone(DaemonError):
    """The machine does not say which time zone it is in."""


@dataclass(frozen=True, slots=True)
class Import:
    """A crontab as definitions in TOML, and what became of its lines."""

    application: str
    timezone: str
    with_users: bool
    document: str
    """The file; empty if no line became a schedule, as there is no file without any."""
    crontab: ImportedCrontab


def import_crontab(
    file: str, *, with_users: bool | None = None, timezone: str | None = None, application: str | None = None
) -> Import:
    """Return what a crontab of this machine becomes, read from a file, or from standard input for ``-``; nothing is
    written. By default, where the file is says whether a user stands before each command, otherwise what it says.

    Raises `NoCrontab`, and `NoLocalZone` if ``timezone`` is neither given nor known.
    """
    name = _STDIN_NAME if file == _STDIN else file
    text, path = _read(file, name), Path(name).absolute()
    zone = timezone or local_timezone()
    owner = path.name if path.parent in _SPOOLS else None
    if with_users is None:
        of_all = path in _WITH_USERS or path.parent in _WITH_USERS or has_users(text, _users())
        with_users = owner is None and of_all
    called = application or _application(name)
    imported = translate(text, LocalFacts(_user(), zone, _home_of, owner), with_users=with_users)
    if path.parent == _CRON_D and not _OF_CRON_D.fullmatch(path.name):
        off = LineRemark((), "Debian's cron reads no file with such a name, so it may have been switched off")
        imported = replace(imported, remarks=(off, *imported.remarks))
    document = write_document(imported, called, name) if imported.schedules else ""
    return Import(called, zone, with_users, document, imported)


def _read(file: str, name: str) -> str:
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


def local_timezone(environment: Mapping[str, str] = os.environ) -> str:
    """Return the time zone that the clock of this machine shows; raises `NoLocalZone`."""
    written = _TIMEZONE.read_text(encoding="utf-8", errors="replace") if _TIMEZONE.is_file() else ""
    linked = os.path.realpath(_LOCALTIME).partition("/zoneinfo/")[2]
    for name in (environment.get("TZ", "").removeprefix(":"), linked.removeprefix("posix/"), written.strip()):
        if name and (known := _known_zone(name)) is not None:
            return known
    raise NoLocalZone(f"neither TZ nor {_LOCALTIME} names the time zone of this machine; give it with --timezone")


def _known_zone(name: str) -> str | None:
    try:
        return check_timezone(name)
    except Refusal:
        return None


def _application(file: str) -> str:
    """Return a name that no other crontab of any machine has: that of the host, and that of the file or user."""
    host = socket.gethostname().partition(".")[0]
    stem = _user() if file == _STDIN_NAME else Path(file).stem
    return re.sub(r"[^\w.-]+", "-", f"{host}-{stem}").strip("-")[: LONGEST["application"]]


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a user id without a name, as in a container
        return str(os.geteuid())


def _users() -> set[str]:
    return {entry.pw_name for entry in pwd.getpwall()}


def _home_of(user: str) -> str | None:
    try:
        return pwd.getpwnam(user).pw_dir
    except KeyError:
        return None
