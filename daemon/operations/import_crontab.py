"""The import of a crontab, as TOML that says the same: nothing of it is put to use by that."""

import os
import pwd
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..definitions.crontab.document import ImportedCrontab, LineRemark, write_document
from ..definitions.crontab.lines import has_users
from ..definitions.crontab.translate import LocalFacts, translate
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
            text = written.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise NoCrontab(f"{name} is not UTF-8; save it as UTF-8") from None
        if "\0" in text:
            raise NoCrontab(f"{name} is not text; name a crontab")
        return cls(name, text)

    def with_users(self) -> bool:
        """Return whether a user stands before each command: by where the file is, otherwise by what it says."""
        if self.owner() is not None:
            return False
        return bool({self._path, self._path.parent} & {*_WITH_USERS}) or has_users(self.text, _users())

    def owner(self) -> str | None:
        """Return whose crontab it is by where it is; None if that does not say it."""
        return self._path.name if self._path.parent in _SPOOLS else None

    def remarks(self) -> Iterator[LineRemark]:
        """Yield what is to be said of the file as a whole."""
        if self._path.parent == _CRON_D and not _OF_CRON_D.fullmatch(self._path.name):
            yield LineRemark((), "Debian's cron reads no file with such a name, so it may have been switched off")

    @property
    def _path(self) -> Path:
        return Path(self.name).absolute()


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
    file: CrontabFile, *, with_users: bool | None = None, timezone: str | None = None, application: str | None = None
) -> Import:
    """Return what a crontab of this machine becomes; nothing is written.

    Raises `NoLocalZone` if ``timezone`` is neither given nor known.
    """
    zone = timezone or local_timezone()
    has_them = file.with_users() if with_users is None else with_users
    name = application or _application(file.name)
    local = LocalFacts(_user(), zone, _home_of, file.owner())
    imported = translate(file.text, local, with_users=has_them)
    imported = replace(imported, remarks=(*file.remarks(), *imported.remarks))
    document = write_document(imported, name, file.name) if imported.schedules else ""
    return Import(name, zone, has_them, document, imported)


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
