"""The import of a crontab, as TOML that says the same: nothing of it is put to use by that."""

import os
import pwd
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..definitions.crontab.document import write_document
from ..definitions.crontab.imported import ImportedCrontab
from ..definitions.crontab.lines import has_users
from ..definitions.crontab.translate import LocalFacts, translate
from ..definitions.values.names import LONGEST
from ..definitions.values.refusal import Refusal
from ..definitions.values.times import check_timezone
from ..errors import DaemonError

_LOCALTIME = Path("/etc/localtime")
_TIMEZONE = Path("/etc/timezone")
_WITH_USERS = (Path("/etc/crontab"), Path("/etc/cron.d"))
_STDIN = "-"
STDIN_NAME = "standard input"


class NoCrontab(DaemonError):
    """What was given cannot be read as a crontab."""


class NoLocalZone(DaemonError):
    """The machine does not say which time zone it is in."""


@dataclass(frozen=True, slots=True)
class CrontabFile:
    """A crontab as it was read; ``name`` is how sentences name it."""

    name: str
    text: str

    @classmethod
    def read(cls, file: str) -> "CrontabFile":
        """Read a file, or standard input for ``-``; raises `NoCrontab`."""
        name = STDIN_NAME if file == _STDIN else file
        try:
            written = sys.stdin.buffer.read() if file == _STDIN else Path(file).read_bytes()
        except OSError as error:
            raise NoCrontab(f"{name} cannot be read: {error.strerror}; `crontab -l` prints your own crontab") from None
        try:
            text = written.decode()
        except UnicodeDecodeError:
            raise NoCrontab(f"{name} is not UTF-8; save it as UTF-8") from None
        if "\0" in text:
            raise NoCrontab(f"{name} is not text; name a crontab")
        return cls(name, text)

    def with_users(self) -> bool:
        """Return whether a user stands before each command: by where the file is, otherwise by what it says."""
        path = Path(self.name).absolute()
        return path in _WITH_USERS or path.parent in _WITH_USERS or has_users(self.text, _users())


@dataclass(frozen=True, slots=True)
class Import:
    """A crontab as definitions in TOML, and what became of its lines."""

    application: str
    timezone: str
    with_users: bool
    document: str
    crontab: ImportedCrontab


def import_crontab(
    file: CrontabFile, *, with_users: bool | None = None, timezone: str | None = None, application: str | None = None
) -> Import:
    """Return what a crontab of this machine becomes; nothing is written.

    Raises `NoLocalZone` if ``timezone`` is neither given nor known.
    """
    zone = timezone or local_timezone()
    has_them = file.with_users() if with_users is None else with_users
    name = application or _application(file.name)
    imported = translate(file.text, LocalFacts(_user(), zone, _home_of), with_users=has_them)
    return Import(name, zone, has_them, write_document(imported, name, file.name), imported)


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
    stem = _user() if file == STDIN_NAME else Path(file).stem
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
